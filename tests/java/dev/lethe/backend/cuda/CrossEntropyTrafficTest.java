package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.Text;
import dev.lethe.backend.cuda.EmulatedDevice.Traffic;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.gemm.CudaLinear;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the kernels of the loss read and write, counted in the emulator: a row once, and once more only what shared
 * memory had no room for. Everything in pieces of 16 bytes.
 */
final class CrossEntropyTrafficTest {
  private static final int ROWS = 3;
  private static final int HIDDEN = 8;
  private static final int F32 = 4;
  private static final int BF16 = 2;
  private static final int PIECE_BYTES = 16;

  /** Elements of 4 bytes that half of the emulated device's shared memory has room for. */
  private static final long KEPT = 12_160;

  private static final long H200_CACHE_BYTES = 50_000_000;
  private static final int LLAMA_3_VOCABULARY = 128_256;

  @ParameterizedTest
  @ValueSource(ints = {4096, 16_392})
  void aRowOfLogitsIsReadOnceButForWhatSharedMemoryLacks(int vocabulary) {
    EmulatedDevice device = EmulatedDevice.open();
    run(device, vocabulary, ROWS);
    long again = Math.max(0, vocabulary - KEPT);
    assertAll(
        () ->
            assertEquals(
                pieces(F32, vocabulary + again, BF16, 2 * vocabulary),
                device.traffic("cross_entropy_forward_bf16"),
                "logits to probabilities and adjoints"),
        () ->
            assertEquals(
                pieces(2 * BF16, vocabulary + again, BF16, vocabulary),
                device.traffic("cross_entropy_backward_tangent_bf16"),
                "probabilities and tangents to tangents of adjoints"),
        () ->
            assertEquals(
                pieces(2 * BF16, vocabulary, 0, 0),
                device.traffic("cross_entropy_tangent_bf16"),
                "probabilities and tangents to the tangent of the loss"));
  }

  /** On an H200 the rest of the rows under way is less than its second-level cache. */
  @Test
  void whatRowsOfLlama3ReadAgainFitsTheCache() {
    CountingDevice device = new CountingDevice();
    run(device, LLAMA_3_VOCABULARY, 512);
    for (String kernel : new String[] {"cross_entropy_forward_bf16", "cross_entropy_backward_tangent_bf16"}) {
      Grid grid = device.latest(kernel);
      long rest = grid.x() * (F32 * (long) LLAMA_3_VOCABULARY - grid.sharedBytes());
      assertTrue(
          grid.x() == device.multiprocessors() && rest < 0.8 * H200_CACHE_BYTES,
          Text.format("%s: %s, %d bytes of all blocks are read again", kernel, grid, rest));
    }
  }

  /** All rows' 16-byte accesses, where so many elements of a row have so many bytes each. */
  private static Traffic pieces(int loadedBytes, long loaded, int storedBytes, long stored) {
    return new Traffic(
        ROWS * loaded * loadedBytes / PIECE_BYTES, ROWS * stored * storedBytes / PIECE_BYTES);
  }

  /** All modes once, in bfloat16. */
  private static void run(Device device, int vocabulary, int rows) {
    try (Cuda cuda = new Cuda(device, DType.BF16, TiledProducts::new);
        Scope scope = cuda.scratch("test")) {
      Tensor w = zeros(cuda, scope, DType.BF16, vocabulary, HIDDEN);
      FrozenLinear head = new CudaLinear(w, null, true);
      Tensor x = zeros(cuda, scope, DType.BF16, rows, HIDDEN);
      Tensor dx = zeros(cuda, scope, DType.BF16, 1, rows, HIDDEN);
      Tensor targets = zeros(cuda, scope, DType.I32, rows);
      Tensor weights = zeros(cuda, scope, DType.F32, rows);
      Tensor p = zeros(cuda, scope, DType.BF16, rows, vocabulary);
      CudaLoss loss = new CudaLoss(cuda);
      loss.forward(new LossKernels.Forward(head, x, targets, weights, scope.allocate(DType.F32, rows), p, x));
      loss.tangent(new LossKernels.Tangent(head, p, targets, dx, scope.allocate(DType.F32, 1, rows)));
      loss.backwardTangent(new LossKernels.BackwardTangent(head, p, weights, dx, dx));
    }
  }

  private static Tensor zeros(Cuda cuda, Scope scope, DType type, long... dims) {
    Tensor tensor = scope.allocate(type, dims);
    cuda.zero(tensor);
    return tensor;
  }
}
