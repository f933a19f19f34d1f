package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/**
 * The pair of matrices that a slot finds in a flat vector: parameters, a direction or a gradient.
 *
 * @param a (r,in)
 * @param b (out,r)
 */
record MatrixPair(DoubleMatrix a, DoubleMatrix b) {
  /** The pair in a flat F64 vector (P). */
  static MatrixPair of(LoraSlot slot, Tensor flat) {
    return new MatrixPair(DoubleMatrix.of(partA(slot, flat)), DoubleMatrix.of(partB(slot, flat)));
  }

  MatrixPair scaled(double factor) {
    return new MatrixPair(a.scaled(factor), b.scaled(factor));
  }

  /** Writes the pair to the slot's place in a flat F64 vector, or adds it. */
  void put(LoraSlot slot, Tensor flat, boolean accumulate) {
    a.put(partA(slot, flat), accumulate);
    b.put(partB(slot, flat), accumulate);
  }

  private static Tensor partA(LoraSlot slot, Tensor flat) {
    return flat.section(slot.aOffset(), Shape.of(slot.rank(), slot.in()));
  }

  private static Tensor partB(LoraSlot slot, Tensor flat) {
    return flat.section(slot.bOffset(), Shape.of(slot.out(), slot.rank()));
  }
}
