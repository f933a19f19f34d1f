package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * An orthonormal basis of parameter space that is a Kronecker product for every matrix of θ. Vectors keep
 * their layout: the coordinates of a matrix lie where the matrix did.
 */
public final class EkfacBasis implements AutoCloseable {
  private final Backend backend;
  private final long parameters;
  private final List<EkfacBlock> blocks;
  private final List<Frozen> frozen = new ArrayList<>();
  private final Scope scope;

  /**
   * Copies the bases to the backend; matrices that several blocks share are copied once.
   *
   * @param parameters length of θ, P
   * @param blocks cover θ, in its order
   */
  public EkfacBasis(Backend backend, long parameters, List<EkfacBlock> blocks) {
    this.backend = backend;
    this.parameters = parameters;
    this.blocks = List.copyOf(blocks);
    requireCover();
    this.scope = backend.openScope("ekfac basis");
    Map<Tensor, FrozenLinear> rights = new IdentityHashMap<>();
    for (EkfacBlock b : blocks) {
      FrozenLinear right =
          b.right() == null
              ? null
              : rights.computeIfAbsent(
                  b.right(), r -> backend.freezeLinear(transposed(r), null, true, scope));
      Tensor left = b.left() == null ? null : activations(b.left());
      Tensor back = b.left() == null ? null : activations(transposed(b.left()));
      frozen.add(new Frozen(left, back, right));
    }
  }

  private void requireCover() {
    long at = 0;
    for (EkfacBlock block : blocks) {
      if (block.offset() != at) {
        throw new ArgumentException(Text.format("a block at %d, not %d", block.offset(), at));
      }
      at += block.rows() * block.columns();
    }
    if (at != parameters) {
      throw new ArgumentException(Text.format("blocks of %d of %d elements", at, parameters));
    }
  }

  /** The blocks, in the order of θ. */
  public List<EkfacBlock> blocks() {
    return blocks;
  }

  /** Length of a vector, P. */
  public long parameters() {
    return parameters;
  }

  /**
   * coordinates = LᵀDR for every matrix of every vector.
   *
   * @param v (k,P)
   * @param coordinates (k,P) out
   */
  public void project(Tensor v, Tensor coordinates) {
    backend.vectors().fill(coordinates, 0);
    turn(v, coordinates, 1, true);
  }

  /**
   * Adds scale·LDRᵀ for every matrix of every vector of coordinates.
   *
   * @param coordinates (k,P)
   * @param out (k,P)
   */
  public void addExpansion(Tensor coordinates, double scale, Tensor out) {
    turn(coordinates, out, scale, false);
  }

  private void turn(Tensor from, Tensor to, double scale, boolean into) {
    try (Scope pass = backend.openScope("ekfac turn")) {
      for (int i = 0; i < blocks.size(); i++) {
        turn(blocks.get(i), frozen.get(i), new Turn(from, to, scale, into), pass);
      }
    }
  }

  private void turn(EkfacBlock block, Frozen f, Turn t, Scope pass) {
    int k = Math.toIntExact(t.from.dim(0));
    long p = block.rows();
    long q = block.columns();
    Tensor x = pass.allocate(backend.activationType(), k, p, q);
    Shape shape = Shape.of(p, q);
    for (int j = 0; j < k; j++) {
      convert(t.from.row(j).section(block.offset(), shape), x.row(j));
    }
    Tensor turned = f.right == null ? x : right(f.right, x, t.into, pass);
    for (int j = 0; j < k; j++) {
      Tensor out = t.to.row(j).section(block.offset(), shape);
      if (f.left == null) {
        addTo(turned.row(j), t.scale, out, pass);
      } else {
        backend.run(new RowKernels.AddOuter(t.into ? f.left : f.back, turned.row(j), t.scale, out));
      }
    }
    pass.release(x);
    if (turned != x) {
      pass.release(turned);
    }
  }

  /** x·R or x·Rᵀ; x (k,p,q). */
  private Tensor right(FrozenLinear right, Tensor x, boolean into, Scope pass) {
    LoraLinear layer = new LoraLinear(right, null);
    Tensor y = pass.allocate(backend.activationType(), x.shape());
    long rows = x.dim(0) * x.dim(1);
    long q = x.dim(2);
    if (into) {
      backend.run(
          new LoraKernels.Forward(layer, null, x.reshape(rows, q), null, null, y.reshape(rows, q)));
    } else {
      backend.run(
          new LoraKernels.Backward(
              layer,
              null,
              x.reshape(1, rows, q),
              null,
              new LoraKernels.InputAdjoint(y.reshape(1, rows, q), null, false)));
    }
    return y;
  }

  private void addTo(Tensor activations, double scale, Tensor out, Scope pass) {
    Tensor vector = pass.allocate(backend.vectorType(), activations.shape());
    convert(activations, vector);
    backend.vectors().axpy(scale, vector, out);
    pass.release(vector);
  }

  /** Copies between the vector and the activation type; where they differ, through host memory. */
  private void convert(Tensor from, Tensor to) {
    if (from.dtype() == to.dtype() && from.dtype() == backend.vectorType()) {
      backend.vectors().copy(from, to);
    } else {
      Tensor host = Tensor.of(from.shape(), new float[Math.toIntExact(from.elements())]);
      backend.download(from, host);
      backend.upload(host, to);
    }
  }

  private Tensor activations(Tensor host) {
    Tensor copy = scope.allocate(backend.activationType(), host.shape());
    backend.upload(host, copy);
    return copy;
  }

  private static Tensor transposed(Tensor square) {
    int n = Math.toIntExact(square.dim(0));
    double[] values = square.toDoubles();
    double[] other = new double[values.length];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        other[j * n + i] = values[i * n + j];
      }
    }
    return Tensor.of(square.shape(), other);
  }

  /** Gives the bases back; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }

  /** L, Lᵀ (p,p) and a linear layer that multiplies with R; null for the standard basis. */
  private record Frozen(Tensor left, Tensor back, FrozenLinear right) {}

  private record Turn(Tensor from, Tensor to, double scale, boolean into) {}
}
