package dev.lethe.curvature;

import dev.lethe.Text;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/**
 * Sums over tokens of the outer products that EK-FAC's bases come from: of x and h for A (r,in), of ȳ and
 * u for B (out,r), with labels drawn from the model. Only the eigenvectors matter, so the sums are not
 * divided. A side longer than {@link #LONGEST_SIDE} gets no statistics and keeps the standard basis.
 */
public final class FactorStatistics implements AutoCloseable {
  /** The longest side with a basis of its own: beyond it a basis costs more than it brings. */
  public static final int LONGEST_SIDE = 1024;

  /** The sums of a layer: Σxxᵀ, Σuuᵀ, Σhhᵀ and Σȳȳᵀ. */
  public enum Side {
    INPUT,
    LOW,
    LOW_ADJOINT,
    OUTPUT_ADJOINT
  }

  private final Backend backend;
  private final List<LoraSlot> slots;
  private final Scope scope;
  private final Map<Place, Tensor> sums = new LinkedHashMap<>();
  private final int[] inputOf;

  /** Zeros for the adapted layers, which are in the order of θ. */
  public FactorStatistics(Backend backend, List<LoraLinear> layers) {
    this.backend = backend;
    this.slots = layers.stream().map(LoraLinear::slot).toList();
    this.scope = backend.openScope("factor statistics");
    this.inputOf = new int[slots.size()];
    for (int i = 0; i < slots.size(); i++) {
      inputOf[i] = i;
      for (Side side : Side.values()) {
        long size = size(slots.get(i), side);
        if (size <= LONGEST_SIDE) {
          Tensor sum = scope.allocate(backend.vectorType(), size, size);
          backend.vectors().fill(sum, 0);
          sums.put(new Place(i, side), sum);
        }
      }
    }
  }

  private record Place(int layer, Side side) {}

  private static long size(LoraSlot slot, Side side) {
    return switch (side) {
      case INPUT -> slot.in();
      case LOW, LOW_ADJOINT -> slot.rank();
      case OUTPUT_ADJOINT -> slot.out();
    };
  }

  /** One adapter's part of a reverse pass with drawn labels, whose inputs may be shared with others'. */
  public final class Pass {
    private final Map<Tensor, Integer> inputs = new IdentityHashMap<>();
    private final Map<Long, Integer> layerAt = new HashMap<>();

    private Pass() {
      for (int i = 0; i < slots.size(); i++) {
        layerAt.put(slots.get(i).aOffset(), i);
      }
    }

    /**
     * Adds the outer products of one adapter, as {@link Linearization#drawn} hands them out.
     *
     * @param xa (N,in)
     * @param u (N,r)
     * @param h (q,N,r)
     * @param gy (q,N,out)
     */
    public void add(LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy) {
      int layer = layerAt.get(slot.aOffset());
      Integer same = inputs.putIfAbsent(xa, layer);
      if (same == null) {
        outer(layer, Side.INPUT, xa);
      }
      inputOf[layer] = same == null ? layer : same;
      outer(layer, Side.LOW, u);
      outer(layer, Side.LOW_ADJOINT, h);
      outer(layer, Side.OUTPUT_ADJOINT, gy);
    }

    private void outer(int layer, Side side, Tensor rows) {
      Tensor sum = sums.get(new Place(layer, side));
      if (sum != null) {
        Tensor matrix = rows.asMatrix();
        backend.run(new RowKernels.AddOuter(matrix, matrix, 1, sum));
      }
    }
  }

  /** Starts a pass over one batch. */
  public Pass pass() {
    return new Pass();
  }

  /** Copies of the sums in host memory, by layer and side; the sides of a shared input once each. */
  public Map<String, Tensor> toHost() {
    return named(sum -> Tensor.of(sum.shape(), HostTensors.doubles(backend, sum)));
  }

  /** The shapes of {@link #toHost}. */
  public Map<String, Shape> shapes() {
    return named(Tensor::shape);
  }

  private <T> Map<String, T> named(Function<Tensor, T> of) {
    Map<String, T> named = new LinkedHashMap<>();
    sums.forEach(
        (place, sum) -> {
          if (place.side != Side.INPUT || inputOf[place.layer] == place.layer) {
            named.put(name(place.layer, place.side), of.apply(sum));
          }
        });
    return named;
  }

  /** The name of a layer's sum in {@link #toHost}. */
  public static String name(int layer, Side side) {
    return Text.format("layer-%05d/%s", layer, side.name().toLowerCase(Locale.ROOT));
  }

  /** For every layer the one whose Σxxᵀ is its own, because they read the same input. */
  public int[] inputOf() {
    return inputOf.clone();
  }

  /** The eigenvectors of each sum, by its name. */
  public static Map<String, Tensor> eigenvectors(Map<String, Tensor> sums) {
    Map<String, Tensor> bases = new LinkedHashMap<>();
    sums.entrySet().parallelStream()
        .map(e -> Map.entry(e.getKey(), eigenvectors(e.getValue())))
        .toList()
        .forEach(e -> bases.put(e.getKey(), e.getValue()));
    return bases;
  }

  /**
   * The blocks of θ in these bases; a side without one keeps the standard basis.
   *
   * @param layers the adapted layers in the order of θ
   * @param bases as {@link #eigenvectors} gives them
   * @param inputOf as {@link #inputOf} gives it
   */
  public static List<EkfacBlock> blocks(
      List<LoraLinear> layers, Map<String, Tensor> bases, int[] inputOf) {
    List<EkfacBlock> blocks = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      LoraSlot slot = layers.get(i).slot();
      Tensor input = bases.get(name(inputOf[i], Side.INPUT));
      Tensor low = bases.get(name(i, Side.LOW));
      Tensor lowAdjoint = bases.get(name(i, Side.LOW_ADJOINT));
      Tensor output = bases.get(name(i, Side.OUTPUT_ADJOINT));
      blocks.add(new EkfacBlock(slot.aOffset(), slot.rank(), slot.in(), lowAdjoint, input));
      blocks.add(new EkfacBlock(slot.bOffset(), slot.out(), slot.rank(), output, low));
    }
    return blocks;
  }

  /** The blocks of θ in the eigenbases of the sums so far. */
  public List<EkfacBlock> blocks(List<LoraLinear> layers) {
    return blocks(layers, eigenvectors(toHost()), inputOf);
  }

  private static Tensor eigenvectors(Tensor sum) {
    int n = Math.toIntExact(sum.dim(0));
    return Tensor.of(Shape.of(n, n), DenseDecompositions.eigenvectors(sum.toDoubles(), n));
  }

  /** Gives the sums back; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }
}
