package dev.lethe.backend;

import dev.lethe.backend.contract.Contract;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.jmh.KernelBenchmark;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.TearDown;

/** Claim: a call of any kernel costs microseconds at the contract's small sizes; each is checked before it is timed. */
public class ContractBenchmark extends KernelBenchmark {
  /** Which case of the contract, by the beginning of its name. */
  @Param({
    "lora.forward",
    "lora.tangent",
    "lora.backward",
    "lora.gradient",
    "attention.forward",
    "attention.backwardTangent",
    "rmsNorm.forward",
    "gatedUnit.forward",
    "loss.forward"
  })
  public String kernel;

  private KernelBench bench;
  private ContractCase.Prepared call;

  @Override
  protected void prepare() {
    bench = new KernelBench(backend, 16);
    call =
        Contract.cases(bench)
            .filter(c -> c.kernel().equals(kernel))
            .reduce((first, last) -> last)
            .orElseThrow()
            .prepare();
  }

  @Benchmark
  public void call() {
    call.run();
  }

  @TearDown
  public void closeCase() {
    call.close();
    bench.close();
  }
}
