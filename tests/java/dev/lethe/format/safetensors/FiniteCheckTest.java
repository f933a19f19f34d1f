package dev.lethe.format.safetensors;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The first number that is none is found wherever it stands, and no number is taken for none. */
final class FiniteCheckTest {
  private static final int LONG = 1_500_003;

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16"})
  void findsTheFirst(DType type) {
    for (int n : new int[] {1, 2, 3, 5, 7, 8, 9}) {
      for (int at = 0; at < n; at++) {
        found(type, n, at, Double.NaN);
        found(type, n, at, Double.NEGATIVE_INFINITY);
      }
    }
    found(type, LONG, LONG - 1, Double.POSITIVE_INFINITY);
    found(type, LONG, 800_001, Double.NaN);
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16"})
  void letsNumbersPass(DType type) {
    double largest = type == DType.F16 ? 65504 : 0x1.FEp127;
    for (double value : new double[] {0, -0.0, 1, -largest, largest, 0x1p-24}) {
      Tensor tensor = tensor(type, 11);
      for (int i = 0; i < 11; i++) {
        tensor.set(i, value);
      }
      assertDoesNotThrow(() -> FiniteCheck.require("file: tensor 'w'", tensor));
    }
  }

  private static void found(DType type, int n, int at, double value) {
    Tensor tensor = tensor(type, n);
    tensor.set(at, value);
    tensor.set(n - 1, value);
    FormatException e =
        assertThrows(FormatException.class, () -> FiniteCheck.require("file: tensor 'w'", tensor));
    assertTrue(e.getMessage().contains(value + " at element " + at + " of "), e.getMessage());
  }

  private static Tensor tensor(DType type, int n) {
    return Tensor.view(MemorySegment.ofArray(new byte[n * type.bytes()]), type, Shape.of(n));
  }
}
