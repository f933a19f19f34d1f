package dev.lethe.backend.contract.harness;

import dev.lethe.backend.Backend;
import dev.lethe.backend.reference.ReferenceBackend;
import dev.lethe.tensor.DType;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/** A backend under test beside the reference; makes the cases. */
public final class KernelBench implements AutoCloseable {
  /** What random numbers follow from, unless something else is asked for. */
  public static final long SEED = Long.getLong("lethe.test.seed", 20_260_722);

  private static final int ALIGNED = 16;

  private final Backend tested;
  private final Backend reference = new ReferenceBackend();
  private final int guard;
  private final GuardZones zones;
  private final long seed;
  private String[] columns = new String[0];

  /**
   * @param tested stays open
   * @param guard elements of each guard zone
   */
  public KernelBench(Backend tested, int guard) {
    this(tested, guard, GuardZones.UNWATCHED, SEED);
  }

  /**
   * @param tested stays open
   * @param guard elements of each guard zone
   * @param zones who watches those of the tested backend
   * @param seed of the random numbers
   */
  public KernelBench(Backend tested, int guard, GuardZones zones, long seed) {
    this.tested = tested;
    this.guard = guard;
    this.zones = zones;
    this.seed = seed;
  }

  /** A case on this bench. */
  public ContractCase of(String name, Consumer<KernelCase> body) {
    String[] names = columns;
    return names.length == 0
        ? new ContractCase(this, name, body)
        : new ContractCase(
            this,
            name + " in columns",
            c -> {
              c.inColumns(names);
              body.accept(c);
            });
  }

  /** The cases of a group with the tensors of these names being columns of wider ones. */
  public List<ContractCase> inColumns(Function<KernelBench, Stream<ContractCase>> group, String... names) {
    columns = names;
    try {
      return group.apply(this).toList();
    } finally {
      columns = new String[0];
    }
  }

  long seed() {
    return seed;
  }

  public Backend tested() {
    return tested;
  }

  public Backend reference() {
    return reference;
  }

  /** Columns on either side of a tensor that is columns of a wider one: aligned where guard zones are. */
  int margin() {
    return guard % ALIGNED == 0 ? ALIGNED : guard;
  }

  int guard() {
    return guard;
  }

  GuardZones zones() {
    return zones;
  }

  /** The relative error, by norm, that a result of this backend may have. */
  double tolerance() {
    return tolerance(tested.activationType());
  }

  /** The same of a result that comes from products with frozen weights. */
  double productTolerance() {
    return tolerance(tested.productType());
  }

  private static double tolerance(DType type) {
    return switch (type) {
      case F64 -> 1e-13;
      case F32 -> 1e-5;
      case F16, BF16 -> 2e-2;
      default -> throw new IllegalStateException("activations of " + type);
    };
  }

  @Override
  public void close() {
    reference.close();
  }
}
