package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/**
 * The pair of matrices that a slot finds in a flat vector: parameters, a direction or a gradient.
 *
 * @param a (r,in)
 * @param b (out,r)
 */
record Adapter(Matrix a, Matrix b) {
  /** The pair in a flat F64 vector (P). */
  static Adapter of(String what, LoraSlot slot, Tensor flat) {
    return new Adapter(Matrix.of(partA(what, slot, flat)), Matrix.of(partB(what, slot, flat)));
  }

  Adapter scaled(double factor) {
    return new Adapter(a.scaled(factor), b.scaled(factor));
  }

  /** Writes the pair to the slot's place in a flat F64 vector, or adds it. */
  void put(String what, LoraSlot slot, Tensor flat, boolean accumulate) {
    a.put(partA(what, slot, flat), accumulate);
    b.put(partB(what, slot, flat), accumulate);
  }

  private static Tensor partA(String what, LoraSlot slot, Tensor flat) {
    return part(what, flat, slot.aOffset(), Shape.of(slot.rank(), slot.in()));
  }

  private static Tensor partB(String what, LoraSlot slot, Tensor flat) {
    return part(what, flat, slot.bOffset(), Shape.of(slot.out(), slot.rank()));
  }

  private static Tensor part(String what, Tensor flat, long offset, Shape shape) {
    Require.rank(what, flat, 1);
    Require.tensor(what, flat, F64, flat.dim(0));
    Require.that(
        offset >= 0 && offset + shape.elements() <= flat.elements(),
        what,
        "a vector that holds elements %d to %d".formatted(offset, offset + shape.elements() - 1),
        flat);
    return flat.section(offset, shape);
  }
}
