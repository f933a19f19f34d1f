package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Orthonormal vectors of parameter space, a basis of it or a part of one, that are a Kronecker product for every matrix
 * of θ. Coordinates follow one another in the order of the matrices: in a basis those of a matrix lie where it did.
 *
 * <p>The matrix R multiplies from the right as a frozen layer, L by a sum of outer products. In host memory the larger
 * of the two is the layer: a matrix with more rows than columns is transposed on its way there.
 */
public final class EkfacBasis implements AutoCloseable {
  private final Backend backend;
  private final long parameters;
  private final long coordinates;
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
    this.coordinates = blocks.stream().mapToLong(block -> block.coordinates().elements()).sum();
    this.scope = backend.openScope("ekfac basis");
    boolean host = HostTensors.inHostMemory(backend);
    Map<Tensor, Layer> layers = new IdentityHashMap<>();
    for (EkfacBlock b : blocks) {
      boolean turned = host && b.tall();
      Tensor large = turned ? b.left() : b.right();
      Tensor small = turned ? b.right() : b.left();
      Layer layer = large == null ? null : layers.computeIfAbsent(large, m -> frozen(m, host));
      Tensor outer = small == null ? null : activations(small);
      Tensor back = small == null ? null : activations(transposed(small));
      frozen.add(new Frozen(layer, outer, back, turned));
    }
  }

  /** In host memory each direction has panels of its own, which few rows pass by faster than they could be turned. */
  private Layer frozen(Tensor matrix, boolean host) {
    FrozenLinear into = backend.freezeLinear(transposed(matrix), null, !host, scope);
    return new Layer(into, host ? backend.freezeLinear(matrix, null, false, scope) : null);
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

  /** Numbers that say where a vector lies: P in a basis, fewer in a part of one. */
  public long coordinates() {
    return coordinates;
  }

  /**
   * coordinates = LᵀDR for every matrix of every vector.
   *
   * @param v (k,P)
   * @param coordinates (k, {@link #coordinates()}) out
   */
  public void project(Tensor v, Tensor coordinates) {
    backend.vectors().fill(coordinates, 0);
    addProjection(v, 1, coordinates);
  }

  /** The same, times scale and added to the coordinates. */
  public void addProjection(Tensor v, double scale, Tensor coordinates) {
    turn(v, coordinates, scale, true);
  }

  /**
   * Adds scale·LDRᵀ for every matrix of every vector of coordinates.
   *
   * @param coordinates (k, {@link #coordinates()})
   * @param out (k,P)
   */
  public void addExpansion(Tensor coordinates, double scale, Tensor out) {
    turn(coordinates, out, scale, false);
  }

  private void turn(Tensor from, Tensor to, double scale, boolean into) {
    long at = 0;
    try (Scope pass = backend.openScope("ekfac turn")) {
      for (int i = 0; i < blocks.size(); i++) {
        turn(blocks.get(i), at, frozen.get(i), new Turn(from, to, scale, into), pass);
        at += blocks.get(i).coordinates().elements();
      }
    }
  }

  /**
   * @param at the block's first coordinate
   */
  private void turn(EkfacBlock block, long at, Frozen f, Turn t, Scope pass) {
    int k = Math.toIntExact(t.from.dim(0));
    Shape matrices = block.matrix();
    Shape coordinates = block.coordinates();
    Shape shape = t.into ? matrices : coordinates;
    Tensor x =
        f.turned
            ? pass.allocate(backend.activationType(), k, shape.dim(1), shape.dim(0))
            : pass.allocate(backend.activationType(), k, shape.dim(0), shape.dim(1));
    for (int j = 0; j < k; j++) {
      Tensor matrix = t.from.row(j).section(t.into ? block.offset() : at, shape);
      if (f.turned) {
        backend.upload(transposed(HostTensors.doubles(backend, matrix), shape), x.row(j));
      } else {
        convert(matrix, x.row(j));
      }
    }
    Tensor y = f.layer == null ? x : multiplied(f.layer, x, t.into, pass);
    Tensor small = t.into ? f.outer : f.back;
    for (int j = 0; j < k; j++) {
      Tensor out = t.to.row(j).section(t.into ? at : block.offset(), t.into ? coordinates : matrices);
      if (small == null) {
        addTo(y.row(j), t.scale, out, pass);
      } else {
        Tensor left = f.turned ? y.row(j) : small;
        Tensor right = f.turned ? small : y.row(j);
        backend.run(new RowKernels.AddOuter(left, right, t.scale, out));
      }
    }
    pass.release(x);
    if (y != x) {
      pass.release(y);
    }
  }

  /** x·M, or x·Mᵀ out of the basis; M (n,c). */
  private Tensor multiplied(Layer matrix, Tensor x, boolean into, Scope pass) {
    FrozenLinear forward = into ? matrix.into : matrix.back;
    long width = into ? matrix.into.out() : matrix.into.in();
    Tensor y = pass.allocate(backend.activationType(), x.dim(0), x.dim(1), width);
    long rows = x.dim(0) * x.dim(1);
    Tensor from = x.reshape(rows, x.dim(2));
    Tensor to = y.reshape(rows, width);
    if (forward != null) {
      backend.run(new LoraKernels.Forward(new LoraLinear(forward, null), null, from, null, null, to));
    } else {
      LoraKernels.InputAdjoint gx = new LoraKernels.InputAdjoint(to.reshape(1, rows, width), null, false);
      LoraLinear layer = new LoraLinear(matrix.into, null);
      backend.run(new LoraKernels.Backward(layer, null, from.reshape(1, rows, x.dim(2)), null, gx));
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

  private static Tensor transposed(Tensor matrix) {
    return transposed(matrix.toDoubles(), matrix.shape());
  }

  private static Tensor transposed(double[] matrix, Shape shape) {
    int rows = Math.toIntExact(shape.dim(0));
    int columns = Math.toIntExact(shape.dim(1));
    double[] other = new double[matrix.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        other[j * rows + i] = matrix[i * columns + j];
      }
    }
    return Tensor.of(Shape.of(columns, rows), other);
  }

  /** Gives the bases back; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }

  /**
   * Linear layers that multiply with a matrix.
   *
   * @param into x·M, and x·Mᵀ backward where it has no layer of its own
   * @param back x·Mᵀ; null for none
   */
  private record Layer(FrozenLinear into, FrozenLinear back) {}

  /**
   * @param layer of R, or of L where turned; null for the standard basis
   * @param outer L, or R where turned; null for the standard basis
   * @param back its transpose
   * @param turned whether the block's matrices are transposed before they are multiplied with the layer
   */
  private record Frozen(Layer layer, Tensor outer, Tensor back, boolean turned) {}

  private record Turn(Tensor from, Tensor to, double scale, boolean into) {}
}
