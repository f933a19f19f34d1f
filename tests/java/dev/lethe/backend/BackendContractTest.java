package dev.lethe.backend;

import dev.lethe.backend.contract.AttentionContract;
import dev.lethe.backend.contract.AttentionDerivativeContract;
import dev.lethe.backend.contract.DropoutContract;
import dev.lethe.backend.contract.EmbeddingContract;
import dev.lethe.backend.contract.KernelBench;
import dev.lethe.backend.contract.LayerNormContract;
import dev.lethe.backend.contract.LoraContract;
import dev.lethe.backend.contract.LoraGradientContract;
import dev.lethe.backend.contract.LossContract;
import dev.lethe.backend.contract.MemoryContract;
import dev.lethe.backend.contract.ReplayContract;
import dev.lethe.backend.contract.RmsNormContract;
import dev.lethe.backend.contract.RopeContract;
import dev.lethe.backend.contract.RowContract;
import dev.lethe.backend.contract.SketchContract;
import dev.lethe.backend.contract.SwiGluContract;
import dev.lethe.backend.contract.VectorContract;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/**
 * What every backend must do: each kernel in each mode against the reference backend, on buffers
 * between guard zones. One subclass a backend says how to open it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendContractTest {
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

  @BeforeAll
  final void openBench() {
    bench = new KernelBench(open(), guardElements());
  }

  @AfterAll
  final void closeBench() {
    if (bench != null) {
      bench.close();
    }
  }

  @TestFactory
  final Stream<DynamicTest> memory() {
    return MemoryContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> embedding() {
    return EmbeddingContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> rmsNorm() {
    return RmsNormContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> layerNorm() {
    return LayerNormContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> lora() {
    return LoraContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> loraGradients() {
    return LoraGradientContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> rope() {
    return RopeContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> attention() {
    return AttentionContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> attentionDerivatives() {
    return AttentionDerivativeContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> swiGlu() {
    return SwiGluContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> rows() {
    return RowContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> dropout() {
    return DropoutContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> loss() {
    return LossContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> vectors() {
    return VectorContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> sketch() {
    return SketchContract.tests(bench);
  }

  @TestFactory
  final Stream<DynamicTest> replay() {
    return ReplayContract.tests(bench);
  }
}
