package dev.lethe.format.gguf;

import dev.lethe.ArgumentException;
import dev.lethe.tensor.DType;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;

/** The types of tensors that are read, with their numbers in a file. */
enum GgufType {
  F32(0, DType.F32),
  F16(1, DType.F16),
  Q4_0(2, DType.Q4_0),
  Q8_0(8, DType.Q8_0),
  Q4_K(12, DType.Q4_K),
  Q6_K(14, DType.Q6_K),
  BF16(30, DType.BF16);

  private static final Map<Integer, String> OTHERS =
      Map.ofEntries(
          Map.entry(3, "Q4_1"), Map.entry(6, "Q5_0"), Map.entry(7, "Q5_1"),
          Map.entry(9, "Q8_1"), Map.entry(10, "Q2_K"), Map.entry(11, "Q3_K"),
          Map.entry(13, "Q5_K"), Map.entry(15, "Q8_K"), Map.entry(16, "IQ2_XXS"),
          Map.entry(17, "IQ2_XS"), Map.entry(18, "IQ3_XXS"), Map.entry(19, "IQ1_S"),
          Map.entry(20, "IQ4_NL"), Map.entry(21, "IQ3_S"), Map.entry(22, "IQ2_S"),
          Map.entry(23, "IQ4_XS"), Map.entry(24, "I8"), Map.entry(25, "I16"),
          Map.entry(26, "I32"), Map.entry(27, "I64"), Map.entry(28, "F64"),
          Map.entry(29, "IQ1_M"), Map.entry(34, "TQ1_0"), Map.entry(35, "TQ2_0"),
          Map.entry(39, "MXFP4"));

  private final int number;
  private final DType dtype;

  GgufType(int number, DType dtype) {
    this.number = number;
    this.dtype = dtype;
  }

  int number() {
    return number;
  }

  DType dtype() {
    return dtype;
  }

  /** The type of a number; empty where it is not read. */
  static Optional<GgufType> of(int number) {
    return Arrays.stream(values()).filter(type -> type.number == number).findFirst();
  }

  /** The type that a tensor is written as; throws where there is none. */
  static GgufType of(DType dtype) {
    return Arrays.stream(values())
        .filter(type -> type.dtype == dtype)
        .findFirst()
        .orElseThrow(() -> new ArgumentException("GGUF has no type for " + dtype));
  }

  /** What a type that is not read is called. */
  static String name(int number) {
    return OTHERS.getOrDefault(number, "number " + Integer.toUnsignedString(number));
  }
}
