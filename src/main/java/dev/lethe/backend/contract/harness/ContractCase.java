package dev.lethe.backend.contract.harness;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.function.Consumer;

/**
 * One case of the contract on a backend under test: a call of a kernel, on the same numbers as on the reference and
 * between guard zones. Tests, {@code lethe selftest} and benchmarks run the same cases.
 */
public final class ContractCase {
  private final KernelBench bench;
  private final String name;
  private final Consumer<KernelCase> body;

  /**
   * @param name group and mode, then sizes: {@code lora.forward 5x17…}
   * @param body makes the call and checks it
   */
  ContractCase(KernelBench bench, String name, Consumer<KernelCase> body) {
    this.bench = bench;
    this.name = name;
    this.body = body;
    if (kernel().indexOf('.') < 0) {
      throw new ArgumentException(
          "contract case: expected a name that begins as in lora.forward, got " + name);
    }
  }

  public String name() {
    return name;
  }

  /** Group and mode, as a call of the kernel names itself. */
  public String kernel() {
    int end = name.indexOf(' ');
    return end < 0 ? name : name.substring(0, end);
  }

  /**
   * Makes the call and checks it.
   *
   * @throws AssertionError where the backend breaks the contract
   */
  public void run() {
    AssertionError failure = attempt().failure();
    if (failure != null) {
      throw failure;
    }
  }

  /** Makes the call and says what came of it. */
  public Findings attempt() {
    Findings findings = new Findings();
    try (KernelCase c = open(findings)) {
      body.accept(c);
    } catch (AssertionError | RuntimeException e) {
      findings.fail(explained(e));
    }
    return findings;
  }

  /**
   * Makes the call, checks it, and keeps its arguments so that it can be made again and again.
   *
   * @throws AssertionError where the backend breaks the contract
   */
  public Prepared prepare() {
    KernelCase c = open(new Findings());
    try {
      body.accept(c);
      return new Prepared(c);
    } catch (AssertionError | RuntimeException e) {
      c.close();
      throw explained(e);
    }
  }

  /** Random numbers depend on the seed and the name alone. */
  private KernelCase open(Findings findings) {
    return new KernelCase(bench, name, bench.seed() * 31 + name.hashCode(), findings);
  }

  private AssertionError explained(Throwable e) {
    String replay = "%s on %s, -Dlethe.test.seed=%d: %s";
    return new AssertionError(
        Text.format(replay, name, bench.tested().description(), bench.seed(), e.getMessage()), e);
  }

  @Override
  public String toString() {
    return name;
  }

  /** The call of a case that has passed, on the backend under test. */
  public static final class Prepared implements AutoCloseable {
    private final KernelCase c;

    private Prepared(KernelCase c) {
      this.c = c;
    }

    /** Makes the call; what it adds to grows each time. */
    public void run() {
      c.again();
    }

    @Override
    public void close() {
      c.close();
    }
  }
}
