package dev.lethe.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.format.FormatException;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.format.safetensors.SafeTensors;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Packed weights expand to the floats of the packages that define them, to the bit. */
class BlockFormatTest {
  private static final Path GOLDEN = Path.of("tests/resources/golden/blocks/blocks.safetensors");

  @ParameterizedTest
  @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K", "Q6_K", "NF4", "NF4_F16", "NF4_BF16"})
  void expandsToTheBits(DType format) {
    try (SafeTensors golden = SafeTensors.open(GOLDEN)) {
      Tensor expected = golden.get(format + ".values");
      Tensor blocks =
          Tensor.view(golden.get(format + ".blocks").segment(), format, expected.shape());
      Tensor floats = Tensor.of(blocks.shape(), new float[(int) blocks.elements()]);
      floats.copyFrom(blocks);
      assertEquals(-1, floats.segment().mismatch(expected.segment()), "first byte that differs");
      for (long i : new long[] {0, 1, 31, 33, blocks.elements() - 1}) {
        assertEquals(expected.get(i), blocks.get(i), "element " + i);
      }
      int block = format.blocks().elements();
      Tensor second = blocks.reshape(blocks.elements() / block, block).slice(1, 1);
      assertEquals(
          Arrays.stream(expected.toDoubles(), block, 2 * block).boxed().toList(),
          Arrays.stream(second.toDoubles()).boxed().toList());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K", "Q6_K", "NF4", "NF4_F16", "NF4_BF16"})
  void namesScalesThatAreNotFinite(DType format) {
    int elements = format.blocks().elements();
    byte[] bytes = new byte[3 * format.blocks().bytes()];
    Tensor three = Tensor.view(MemorySegment.ofArray(bytes), format, Shape.of(3, elements));
    FiniteCheck.require("t", three);
    int scale = format.blocks().bytes() + (format == DType.Q6_K ? 208 : 0);
    boolean float32 = format.name().startsWith("NF4");
    bytes[scale + (float32 ? 2 : 0)] = (byte) (float32 ? 0xC0 : 0x01);
    bytes[scale + (float32 ? 3 : 1)] = 0x7F;
    FormatException e =
        assertThrows(FormatException.class, () -> FiniteCheck.require("t", three));
    assertEquals(FormatException.Kind.NOT_FINITE, e.kind());
    assertTrue(e.getMessage().contains("element " + elements), e.getMessage());
  }

  @Test
  void aRowHasWholeBlocks() {
    byte[] bytes = new byte[3 * 34];
    MemorySegment segment = MemorySegment.ofArray(bytes);
    assertEquals(102, Tensor.view(segment, DType.Q8_0, Shape.of(3, 32)).byteSize());
    assertThrows(
        ArgumentException.class, () -> Tensor.view(segment, DType.Q8_0, Shape.of(2, 48)));
    assertThrows(
        ArgumentException.class,
        () -> Tensor.view(segment, DType.Q8_0, Shape.of(96)).set(0, 1));
    assertThrows(ArgumentException.class, DType.Q4_K::bytes);
    assertEquals(144, DType.Q4_K.byteSize(256));
    assertThrows(ArgumentException.class, () -> DType.Q8_0.byteSize(Long.MAX_VALUE - 31));
  }
}
