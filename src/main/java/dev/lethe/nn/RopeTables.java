package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Turn;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.format.huggingface.Rope;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/**
 * The cosines and sines of a rotary embedding, for as many positions as somebody has asked
 * for: a model's whole context would often be far more. Tables double in size, and older ones live
 * on for the tapes that hold them.
 */
final class RopeTables {
  private static final long FIRST_POSITIONS = 256;

  private final double[] frequencies;
  private final double factor;
  private final int headSize;
  private final long maxPositions;
  private final Backend backend;
  private final Scope owner;
  private RopeTable table;

  /**
   * @param owner where the tables live
   */
  RopeTables(Rope rope, TransformerSpec spec, Backend backend, Scope owner) {
    this.frequencies = RopeFrequencies.of(rope);
    this.factor = RopeFrequencies.factor(rope);
    this.headSize = spec.headSize();
    this.maxPositions = spec.maxPositions();
    this.backend = backend;
    this.owner = owner;
  }

  /** A table of at least so many positions, and never more than the context. */
  RopeTable atLeast(long positions) {
    if (positions > maxPositions) {
      throw new ArgumentException(
          Text.format("rotary table of %d positions in a context of %d", positions, maxPositions));
    }
    try (Turn.Taken mine = backend.turn().take()) {
      if (table == null || table.positions() < positions) {
        long size = FIRST_POSITIONS;
        while (size < positions) {
          size *= 2;
        }
        table = make(Math.min(size, maxPositions));
      }
      return table;
    }
  }

  private RopeTable make(long positions) {
    int pairs = frequencies.length;
    double[] cos = new double[Math.toIntExact(positions * pairs)];
    double[] sin = new double[cos.length];
    for (int i = 0; i < cos.length; i++) {
      double angle = i / pairs * frequencies[i % pairs];
      cos[i] = factor * Math.cos(angle);
      sin[i] = factor * Math.sin(angle);
    }
    return new RopeTable(upload(cos, positions, pairs), upload(sin, positions, pairs), headSize);
  }

  private Tensor upload(double[] values, long positions, long pairs) {
    Tensor tensor = owner.allocate(backend.vectorType(), positions, pairs);
    backend.upload(Tensor.of(Shape.of(positions, pairs), values), tensor);
    return tensor;
  }
}
