package dev.lethe.backend.contract;

import dev.lethe.backend.Backend;
import dev.lethe.backend.reference.ReferenceBackend;
import dev.lethe.tensor.DType;
import java.util.function.Consumer;
import org.junit.jupiter.api.DynamicTest;

/** A backend under test beside the reference; makes the test cases. */
public final class KernelBench implements AutoCloseable {
  private static final long SEED = Long.getLong("lethe.test.seed", 20_260_722);

  private final Backend tested;
  private final Backend reference = new ReferenceBackend();
  private final int guard;
  private final GuardZones zones;

  /**
   * @param tested closed with this bench
   * @param guard elements of each guard zone
   */
  public KernelBench(Backend tested, int guard) {
    this(tested, guard, GuardZones.UNWATCHED);
  }

  /**
   * @param tested closed with this bench
   * @param guard elements of each guard zone
   * @param zones who watches those of the tested backend
   */
  public KernelBench(Backend tested, int guard, GuardZones zones) {
    this.tested = tested;
    this.guard = guard;
    this.zones = zones;
  }

  /** A test of one case; its random numbers depend on the seed and the case's name alone. */
  DynamicTest test(String name, Consumer<KernelCase> body) {
    return DynamicTest.dynamicTest(
        name,
        () -> {
          try (KernelCase c = new KernelCase(this, name, SEED * 31 + name.hashCode())) {
            body.accept(c);
          } catch (AssertionError | RuntimeException e) {
            String replay = "%s on %s, -Dlethe.test.seed=%d: %s";
            throw new AssertionError(
                replay.formatted(name, tested.description(), SEED, e.getMessage()), e);
          }
        });
  }

  Backend tested() {
    return tested;
  }

  Backend reference() {
    return reference;
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
    tested.close();
    reference.close();
  }
}
