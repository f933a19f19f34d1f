package dev.lethe.backend.cuda;

import dev.lethe.backend.Require;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/** h = silu(a)∘b by kernels/swiglu.cu. */
final class CudaSwiGlu implements SwiGluKernels {
  private final Cuda cuda;

  CudaSwiGlu(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Tensor a, Tensor b, Tensor h) {
    requirePrimal("swiGlu.forward", a, b);
    Require.tensor("swiGlu.forward: h", h, cuda.type(), a.dim(0), a.dim(1));
    long n = a.elements();
    cuda.kernel("swiglu_forward").with(a).with(b).with(h).with(n).run(cuda.elements(n));
  }

  @Override
  public void tangent(Tensor a, Tensor b, Tensor da, Tensor db, Tensor dh) {
    requirePrimal("swiGlu.tangent", a, b);
    long k = directions("swiGlu.tangent: dh", dh, a);
    requireEach("swiGlu.tangent: da", da, k, a);
    requireEach("swiGlu.tangent: db", db, k, a);
    long n = a.elements();
    cuda.kernel("swiglu_tangent")
        .with(a).with(b).with(da).with(db).with(dh).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backward(Tensor a, Tensor b, Tensor gh, Tensor ga, Tensor gb) {
    requirePrimal("swiGlu.backward", a, b);
    long k = directions("swiGlu.backward: gh", gh, a);
    Require.tensor("swiGlu.backward: ga", ga, cuda.type(), gh.shape().toArray());
    Require.tensor("swiGlu.backward: gb", gb, cuda.type(), gh.shape().toArray());
    long n = a.elements();
    cuda.kernel("swiglu_backward")
        .with(a).with(b).with(gh).with(ga).with(gb).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  @Override
  public void backwardTangent(
      Tensor a, Tensor b, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb) {
    requirePrimal("swiGlu.backwardTangent", a, b);
    Require.tensor("swiGlu.backwardTangent: gh", gh, cuda.type(), a.dim(0), a.dim(1));
    long k = directions("swiGlu.backwardTangent: dga", dga, a);
    Require.tensor("swiGlu.backwardTangent: dgb", dgb, cuda.type(), dga.shape().toArray());
    requireEach("swiGlu.backwardTangent: da", da, k, a);
    requireEach("swiGlu.backwardTangent: db", db, k, a);
    requireEach("swiGlu.backwardTangent: dgh", dgh, k, a);
    long n = a.elements();
    cuda.kernel("swiglu_backward_tangent")
        .with(a).with(b).with(gh).with(da).with(db).with(dgh).with(dga).with(dgb).with(n).with(k)
        .run(cuda.elements(k * n));
  }

  private void requirePrimal(String operation, Tensor a, Tensor b) {
    Require.rank(operation + ": a", a, 2);
    Require.tensor(operation + ": a", a, cuda.type(), a.dim(0), a.dim(1));
    Require.tensor(operation + ": b", b, cuda.type(), a.dim(0), a.dim(1));
  }

  /** The k of a tensor (k,N,F). */
  private long directions(String what, Tensor tensor, Tensor a) {
    Require.rank(what, tensor, 3);
    Require.tensor(what, tensor, cuda.type(), tensor.dim(0), a.dim(0), a.dim(1));
    return tensor.dim(0);
  }

  private void requireEach(String what, Tensor tensor, long k, Tensor a) {
    Require.tensorOrNull(what, tensor, cuda.type(), k, a.dim(0), a.dim(1));
  }
}
