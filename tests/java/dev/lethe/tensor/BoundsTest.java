package dev.lethe.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.MemoryException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Arguments that no tensor can take are refused, also where sums and products of them leave 64 bits. */
class BoundsTest {
  private static final long MAX = Long.MAX_VALUE;

  private final Tensor tensor = Tensor.of(Shape.of(3, 2), 1, 2, 3, 4, 5, 6f);

  @ParameterizedTest
  @CsvSource({
    "-1, 1", "0, 4", "3, 1", "4, 0", "0, -1", "1, 9223372036854775807", "9223372036854775807, 1",
    "9223372036854775807, 9223372036854775807", "-9223372036854775808, 9223372036854775807"
  })
  void rowsOutsideAreRefused(long first, long count) {
    ArgumentException e = assertThrows(ArgumentException.class, () -> tensor.slice(first, count));
    assertTrue(e.getMessage().contains("F32(3,2)"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource({"-1, 1", "6, 1", "1, 6", "9223372036854775807, 1", "2, 9223372036854775807", "-9223372036854775808, 6"})
  void sectionsOutsideAreRefused(long first, long elements) {
    assertThrows(ArgumentException.class, () -> tensor.section(first, Shape.of(elements)));
  }

  @Test
  void whatLiesInsideIsGiven() {
    assertEquals(0, tensor.slice(3, 0).elements());
    assertEquals(5, tensor.slice(2, 1).get(0));
    assertEquals(3, tensor.section(2, Shape.of(4)).get(0));
    assertEquals(6, tensor.get(5));
  }

  @Test
  void elementsOutsideAreRefused() {
    for (long index : new long[] {-1, 6, MAX, Long.MIN_VALUE}) {
      assertThrows(ArgumentException.class, () -> tensor.get(index));
      assertThrows(ArgumentException.class, () -> tensor.set(index, 1));
      assertThrows(ArgumentException.class, () -> tensor.row(index));
    }
    assertThrows(ArgumentException.class, () -> Tensor.of(Shape.of(), 1f).slice(0, 1));
    assertThrows(ArgumentException.class, () -> tensor.dim(2));
    assertThrows(ArgumentException.class, () -> tensor.dim(-3));
  }

  @Test
  void shapesThatLeave64BitsAreRefused() {
    assertThrows(ArgumentException.class, () -> Shape.of(MAX, 2));
    assertThrows(ArgumentException.class, () -> Shape.of(-1));
    assertThrows(ArgumentException.class, () -> DType.F64.byteSize(MAX / 4));
    try (HostAllocator memory = new HostAllocator();
        Scope scope = Scope.open("too large", memory)) {
      assertThrows(ArgumentException.class, () -> scope.allocate(DType.F64, MAX / 4));
    }
  }

  @Test
  void memoryThatThereIsNotIsTheLibrarysOwnException() {
    try (HostAllocator memory = new HostAllocator();
        Scope scope = Scope.open("too large", memory)) {
      MemoryException e =
          assertThrows(MemoryException.class, () -> scope.allocate(DType.F32, 1L << 56));
      assertTrue(e.getMessage().contains("274,877,906,944 MiB more are needed"), e.getMessage());
      assertEquals(8, scope.allocate(DType.F64, 1).byteSize());
    }
  }
}
