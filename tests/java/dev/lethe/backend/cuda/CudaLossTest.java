package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.gemm.CudaLinear;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What contracts cannot see of {@link CudaLoss}: chunks of rows, wild targets, and confident rows. */
final class CudaLossTest {
  private static final int M = 37;
  private static final int D = 12;
  private static final int V = 40;
  private static final int K = 2;

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16"})
  void chunksOfRowsChangeNothing(DType type) {
    try (Cuda cuda = new Cuda(EmulatedDevice.open(), type, TiledProducts::new);
        Scope scope = cuda.scratch("test")) {
      Inputs in = Inputs.random(cuda, scope);
      double[] whole = in.everything(new CudaLoss(cuda));
      for (int rows : new int[] {1, 8, 36}) {
        assertArrayEquals(whole, in.everything(new CudaLoss(cuda, rows)), rows + " rows at a time");
      }
    }
  }

  @Test
  void aTargetOutsideTheVocabularyGivesNoNumber() {
    try (Cuda cuda = new Cuda(EmulatedDevice.open(), DType.F32, TiledProducts::new);
        Scope scope = cuda.scratch("test")) {
      Inputs in = Inputs.random(cuda, scope);
      int[] wild = new int[M];
      wild[3] = V;
      wild[5] = -1;
      cuda.transfers().upload(Tensor.of(Shape.of(M), wild), in.targets);
      new CudaLoss(cuda)
          .forward(
              new LossKernels.Forward(in.head, in.x, in.targets, null, in.rowLoss, in.p, null));
      double[] losses = download(cuda, in.rowLoss);
      for (int i = 0; i < M; i++) {
        assertTrue(Double.isNaN(losses[i]) == (i == 3 || i == 5), "row " + i + ": " + losses[i]);
      }
    }
  }

  /**
   * Where one token has nearly all probability, its bfloat16 is off by more than the others have together; the
   * product with the Hessian must still have the right size, and no component along the ones.
   */
  @Test
  void theHessianOfConfidentRowsSurvivesBfloat16() {
    double[] p = new double[V];
    Arrays.fill(p, 0.003 / (V - 1));
    p[7] = 0.997;
    double[] dz = new Random(5).doubles(V, 50, 51).map(CudaLossTest::bf16).toArray();
    double mean = 0;
    for (int i = 0; i < V; i++) {
      mean += p[i] * dz[i];
    }
    double[] expected = new double[V];
    for (int i = 0; i < V; i++) {
      expected[i] = p[i] * (dz[i] - mean);
    }
    try (Cuda cuda = new Cuda(EmulatedDevice.open(), DType.BF16, TiledProducts::new);
        Scope scope = cuda.scratch("test")) {
      double[] got = hessianProduct(cuda, scope, p, dz);
      double error = 0;
      double size = 0;
      for (int i = 0; i < V; i++) {
        error += (got[i] - expected[i]) * (got[i] - expected[i]);
        size += expected[i] * expected[i];
      }
      assertTrue(Math.sqrt(error / size) < 2e-2, "relative error " + Math.sqrt(error / size));
    }
  }

  /** By a head of the identity, so that ż is ẋ and x̄̇ is z̄̇. */
  private static double[] hessianProduct(Cuda cuda, Scope scope, double[] p, double[] dz) {
    double[] identity = new double[V * V];
    for (int i = 0; i < V; i++) {
      identity[i * V + i] = 1;
    }
    FrozenLinear head =
        new CudaLinear(upload(cuda, scope, cuda.type(), identity, V, V), null, true);
    Tensor weights = upload(cuda, scope, DType.F32, new double[] {1}, 1);
    Tensor dgx = scope.allocate(cuda.type(), 1, 1, V);
    new CudaLoss(cuda)
        .backwardTangent(
            new LossKernels.BackwardTangent(
                head,
                upload(cuda, scope, cuda.type(), p, 1, V),
                weights,
                upload(cuda, scope, cuda.type(), dz, 1, 1, V),
                dgx));
    return download(cuda, dgx);
  }

  private static double bf16(double x) {
    return DType.bf16ToFloat(DType.floatToBf16((float) x));
  }

  private static Tensor upload(Cuda cuda, Scope scope, DType type, double[] values, long... dims) {
    Tensor tensor = scope.allocate(type, dims);
    cuda.transfers().upload(Tensor.of(Shape.of(dims), values), tensor);
    return tensor;
  }

  private static double[] download(Cuda cuda, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    cuda.transfers().download(tensor, Tensor.of(tensor.shape(), values));
    return values;
  }

  private record Inputs(
      Cuda cuda,
      FrozenLinear head,
      Tensor x,
      Tensor targets,
      Tensor weights,
      Tensor dx,
      Tensor rowLoss,
      Tensor p,
      Tensor gx,
      Tensor dLoss,
      Tensor dgx) {
    static Inputs random(Cuda cuda, Scope scope) {
      Random random = new Random(3);
      Tensor targets = scope.allocate(DType.I32, M);
      cuda.transfers().upload(Tensor.of(Shape.of(M), random.ints(M, 0, V).toArray()), targets);
      DType type = cuda.type();
      return new Inputs(
          cuda,
          new CudaLinear(
              normal(cuda, scope, random, type, V, D), normal(cuda, scope, random, type, V), true),
          normal(cuda, scope, random, type, M, D),
          targets,
          normal(cuda, scope, random, DType.F32, M),
          normal(cuda, scope, random, type, K, M, D),
          scope.allocate(DType.F32, M),
          scope.allocate(type, M, V),
          scope.allocate(type, M, D),
          scope.allocate(DType.F32, K, M),
          scope.allocate(type, K, M, D));
    }

    private static Tensor normal(Cuda cuda, Scope scope, Random random, DType type, long... dims) {
      double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
      Arrays.setAll(values, i -> random.nextGaussian());
      return upload(cuda, scope, type, values, dims);
    }

    /** All results of all modes. */
    double[] everything(LossKernels loss) {
      loss.forward(new LossKernels.Forward(head, x, targets, weights, rowLoss, p, gx));
      loss.tangent(new LossKernels.Tangent(head, p, targets, dx, dLoss));
      loss.backwardTangent(new LossKernels.BackwardTangent(head, p, weights, dx, dgx));
      return Stream.of(rowLoss, p, gx, dLoss, dgx)
          .flatMapToDouble(t -> Arrays.stream(download(cuda, t)))
          .toArray();
    }
  }
}
