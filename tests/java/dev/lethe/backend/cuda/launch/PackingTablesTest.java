package dev.lethe.backend.cuda.launch;

import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.lethe.backend.cuda.EmulatedDevice;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import org.junit.jupiter.api.Test;

/** Which tables of packed batches stay on the device. */
class PackingTablesTest {
  private static final int MORE_THAN_KEPT = 300;

  @Test
  void tablesThatRecordingsReadStayWhileOneIsOpen() {
    try (Cuda cuda = new Cuda(EmulatedDevice.open(), DType.F32, TiledProducts::new)) {
      PackingTables tables = cuda.packings();
      Packing plain = Packing.ofLengths(2, 3);
      Packing recorded = Packing.ofLengths(4, 1);
      final PackingTables.Table first = tables.of(plain);
      cuda.allocator().openRecording();
      PackingTables.Table[] read = new PackingTables.Table[1];
      cuda.allocator().allocateForRecordings(() -> read[0] = tables.of(recorded));
      useOthers(tables);
      assertSame(read[0], tables.of(recorded));
      assertNotSame(first, tables.of(plain));
      cuda.allocator().closeRecording();
      useOthers(tables);
      assertNotSame(read[0], tables.of(recorded));
    }
  }

  private static void useOthers(PackingTables tables) {
    for (int i = 0; i < MORE_THAN_KEPT; i++) {
      tables.of(Packing.ofLengths(10, i + 1));
    }
  }
}
