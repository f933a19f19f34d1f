package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.ReplayKernels.AdamWState;
import dev.lethe.backend.ReplayKernels.Sgd;
import dev.lethe.backend.ReplayKernels.SgdState;
import dev.lethe.backend.ReplayKernels.Step;
import dev.lethe.backend.ReplayKernels;
import dev.lethe.backend.SketchKernels;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Products with a sketch of a curvature, and the steps of recorded runs. */
final class ReplayChecks {
  private static final int[] ROWS = {1, 7, 33, 60, 5};
  private static final int[] LENGTHS = {1, 17, 4097, 256, 20_000};
  private static final double[] CLIPS = {0.5, 1};
  private static final long[] NUMBERS = {3, 2};
  private static final int K = 2;
  private static final double SCALE = 0.3;

  private ReplayChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of(
            "sketch",
            "dots",
            (s, i) ->
                s.backend.run(
                    new SketchKernels.Dots(
                        sketch(s, i), s.vector(K, LENGTHS[i]), s.vectorOut(K, ROWS[i])))),
        of(
            "sketch",
            "addCombination",
            (s, i) ->
                s.backend.run(
                    new SketchKernels.AddCombination(
                        s.vector(K, ROWS[i]), SCALE, sketch(s, i), s.sum(K, LENGTHS[i])))),
        of(
            "sketch",
            "addProduct",
            (s, i) ->
                s.backend.run(
                    new SketchKernels.AddProduct(
                        sketch(s, i), s.vector(K, LENGTHS[i]), SCALE, s.sum(K, LENGTHS[i])))),
        of("replay", "adamW", ReplayChecks::adamW),
        of("replay", "sgd", ReplayChecks::sgd),
        of("replay", "squaredNorms", ReplayChecks::squaredNorms));
  }

  /** Rows in bfloat16, or in the vector type every other round. */
  private static Tensor sketch(Stage s, int i) {
    return i % 2 == 0 ? s.bf16(ROWS[i], LENGTHS[i]) : s.vector(ROWS[i], LENGTHS[i]);
  }

  private static Step step(Stage s, int n) {
    return new Step(1e-2, s.bf16(n), 0.8, 3, s.vector(K, n), CLIPS, NUMBERS);
  }

  private static void adamW(Stage s, int i) {
    VectorKernels.AdamW options = new VectorKernels.AdamW(0.9, 0.999, 1e-8, 0.01);
    int n = LENGTHS[i];
    AdamWState recorded = new AdamWState(s.sum(n), s.sum(n), s.sum(n));
    AdamWState runs = new AdamWState(s.sum(K, n), s.sum(K, n), s.sum(K, n));
    s.backend.run(
        new ReplayKernels.StepAdamW(options, step(s, n), recorded, runs, s.vectorOut(K, n)));
  }

  private static void sgd(Stage s, int i) {
    int n = LENGTHS[i];
    SgdState recorded = new SgdState(s.sum(n), s.sum(n));
    SgdState runs = new SgdState(s.sum(K, n), s.sum(K, n));
    s.backend.run(
        new ReplayKernels.StepSgd(
            new Sgd(0.9, 0.01), step(s, n), recorded, runs, s.vectorOut(K, n)));
  }

  private static void squaredNorms(Stage s, int i) {
    double[] norms = new double[1 + K];
    s.backend.run(
        new ReplayKernels.SquaredNorms(s.bf16(LENGTHS[i]), s.vector(K, LENGTHS[i]), norms));
    Tensor result = s.vectorOut(1 + K);
    s.backend.upload(Tensor.of(Shape.of(1 + K), norms), result);
  }
}
