package dev.lethe.backend;

import dev.lethe.backend.contract.Contract;
import dev.lethe.backend.contract.harness.KernelBench;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/**
 * What every backend must do: each kernel in each mode against the reference backend, on buffers
 * between guard zones. One subclass a backend says how to open it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendContractTest {
  /** How the names of the groups begin that are run; all do where nothing is said. */
  private static final String GROUPS = System.getProperty("lethe.contract", "");

  private Backend tested;
  private KernelBench bench;

  /** Opens the backend under test; it is closed after the last test. */
  protected abstract Backend open();

  /**
   * Elements before and after each buffer that must stay as they are. An odd number, so that
   * buffers begin at addresses aligned to their element only.
   */
  protected int guardElements() {
    return 13;
  }

  /** How the names of the groups begin that are run. */
  protected String groups() {
    return GROUPS;
  }

  /** Whether a case of this name is run. */
  protected boolean runs(String name) {
    return true;
  }

  @BeforeAll
  final void openBench() {
    tested = open();
    bench = new KernelBench(tested, guardElements());
  }

  @AfterAll
  final void closeBench() {
    if (bench != null) {
      bench.close();
    }
    if (tested != null) {
      tested.close();
    }
  }

  @TestFactory
  final Stream<DynamicContainer> contract() {
    return Contract.all().entrySet().stream()
        .filter(group -> group.getKey().startsWith(groups()))
        .map(
            group ->
                DynamicContainer.dynamicContainer(
                    group.getKey(),
                    group
                        .getValue()
                        .apply(bench)
                        .filter(c -> runs(c.name()))
                        .map(c -> DynamicTest.dynamicTest(c.name(), c::run))));
  }
}
