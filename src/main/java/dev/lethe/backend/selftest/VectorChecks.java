package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.VectorKernels;
import dev.lethe.backend.Vectors;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Arithmetic on flat vectors. */
final class VectorChecks {
  private static final int[] LENGTHS = {1, 17, 4097, 256, 70_000};

  private VectorChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of("vectors", "fill", (s, i) -> s.backend.vectors().fill(s.vectorOut(LENGTHS[i]), 0.25)),
        of("vectors", "copy", (s, i) -> s.backend.vectors().copy(
            s.vector(LENGTHS[i]), s.vectorOut(LENGTHS[i]))),
        of("vectors", "scale", (s, i) -> s.backend.vectors().scale(-1.5, s.sum(LENGTHS[i]))),
        of("vectors", "axpby", (s, i) -> s.backend.vectors().axpby(
            0.5, s.vector(LENGTHS[i]), -2, s.sum(LENGTHS[i]))),
        of("vectors", "dot", VectorChecks::dot),
        of("vectors", "adamW", VectorChecks::adamW));
  }

  private static void dot(Stage s, int i) {
    Vectors vectors = s.backend.vectors();
    double dot = vectors.dot(s.vector(LENGTHS[i]), s.vector(LENGTHS[i]));
    Tensor result = s.vectorOut(1);
    s.backend.upload(Tensor.of(Shape.of(1), dot), result);
  }

  private static void adamW(Stage s, int i) {
    VectorKernels.AdamW options = new VectorKernels.AdamW(0.9, 0.999, 1e-8, 0.01);
    int n = LENGTHS[i];
    s.backend.vectors()
        .adamW(options, 1e-2, 3, s.sum(n), s.vector(n), s.sum(n), s.sum(n));
  }
}
