package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;

/** The LoRA linear layer, in matrix products that read as the formulas. */
final class ReferenceLora implements LoraKernels {
  @Override
  public void forward(Forward call) {
    ReferenceLinear w = ReferenceLinear.of(call.layer().weight());
    DoubleMatrix out = w.apply(DoubleMatrix.of(call.x()));
    if (call.layer().hasAdapter()) {
      LoraSlot slot = call.layer().slot();
      MatrixPair t = MatrixPair.of(slot, call.theta());
      DoubleMatrix up = DoubleMatrix.of(call.xa()).times(t.a().transposed());
      up.store(call.u());
      out = out.plus(up.times(t.b().transposed()).scaled(slot.scale()));
    }
    out.store(call.y());
  }

  @Override
  public void tangent(Tangent call) {
    ReferenceLinear w = ReferenceLinear.of(call.layer().weight());
    DoubleMatrix wT = w.matrix().transposed();
    long n = call.dy().dim(1);
    for (int j = 0; j < call.dy().dim(0); j++) {
      DoubleMatrix out = DoubleMatrix.direction(call.in().dx(), j, n, w.in()).times(wT);
      if (call.layer().hasAdapter()) {
        LoraSlot slot = call.layer().slot();
        MatrixPair t = MatrixPair.of(slot, call.theta());
        MatrixPair dt = MatrixPair.of(slot, call.v().row(j));
        DoubleMatrix dIn = DoubleMatrix.direction(call.in().ofAdapter(), j, n, w.in());
        DoubleMatrix dUp =
            dIn.times(t.a().transposed()).plus(DoubleMatrix.of(call.xa()).times(dt.a().transposed()));
        dUp.store(call.du().row(j));
        DoubleMatrix low =
            dUp.times(t.b().transposed()).plus(DoubleMatrix.of(call.u()).times(dt.b().transposed()));
        out = out.plus(low.scaled(slot.scale()));
      }
      out.store(call.dy().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    ReferenceLinear w = ReferenceLinear.of(call.layer().weight());
    for (int j = 0; j < call.gy().dim(0); j++) {
      DoubleMatrix gOut = DoubleMatrix.of(call.gy().row(j));
      DoubleMatrix low = null;
      if (call.layer().hasAdapter()) {
        LoraSlot slot = call.layer().slot();
        MatrixPair t = MatrixPair.of(slot, call.theta());
        DoubleMatrix down = gOut.times(t.b());
        down.store(call.h().row(j));
        low = down.times(t.a()).scaled(slot.scale());
      }
      storeInputAdjoints(w, gOut, low, j, call.in());
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    ReferenceLinear w = ReferenceLinear.of(call.layer().weight());
    for (int j = 0; j < call.directions(); j++) {
      DoubleMatrix dgOut = DoubleMatrix.direction(call.dgy(), j, call.rows(), w.out());
      DoubleMatrix low = null;
      if (call.layer().hasAdapter()) {
        LoraSlot slot = call.layer().slot();
        MatrixPair t = MatrixPair.of(slot, call.theta());
        MatrixPair dt = MatrixPair.of(slot, call.v().row(j));
        DoubleMatrix dDown = dgOut.times(t.b()).plus(DoubleMatrix.of(call.gy()).times(dt.b()));
        dDown.store(call.dh().row(j));
        low = dDown.times(t.a()).plus(DoubleMatrix.of(call.h()).times(dt.a())).scaled(slot.scale());
      }
      storeInputAdjoints(w, dgOut, low, j, call.in());
    }
  }

  @Override
  public void gradient(Gradient call) {
    for (int j = 0; j < call.g().dim(0); j++) {
      Rows.of(call.kept().row(j))
          .gradient()
          .scaled(call.scale() * call.slot().scale())
          .put(call.slot(), call.g().row(j), true);
    }
  }

  @Override
  public void gradientTangent(GradientTangent call) {
    LoraSlot slot = call.slot();
    KeptTangent d = call.tangent();
    Rows rows = Rows.of(call.kept());
    long n = call.kept().xa().dim(0);
    for (int j = 0; j < call.g().dim(0); j++) {
      DoubleMatrix dIn = DoubleMatrix.direction(d.dxa(), j, n, slot.in());
      DoubleMatrix dUp = DoubleMatrix.of(d.du().row(j));
      DoubleMatrix dDown = DoubleMatrix.of(d.dh().row(j));
      DoubleMatrix dgOut = DoubleMatrix.direction(d.dgy(), j, n, slot.out());
      DoubleMatrix a = dDown.transposed().times(rows.xa).plus(rows.h.transposed().times(dIn));
      DoubleMatrix b = dgOut.transposed().times(rows.u).plus(rows.gy.transposed().times(dUp));
      new MatrixPair(a, b).scaled(call.scale() * slot.scale()).put(slot, call.g().row(j), true);
    }
  }

  @Override
  public void perSampleGradient(PerSampleGradient call) {
    Rows rows = Rows.of(call.kept());
    for (int i = 0; i < call.packing().count(); i++) {
      rows.sequence(call.packing(), i)
          .gradient()
          .scaled(call.scale() * call.slot().scale())
          .put(call.slot(), call.g().row(i), false);
    }
  }

  @Override
  public void perSampleSquaredNorm(PerSampleSquaredNorm call) {
    Packing packing = call.packing();
    Rows rows = Rows.of(call.kept());
    DoubleMatrix sums = DoubleMatrix.zeros(1, packing.count());
    for (int i = 0; i < packing.count(); i++) {
      MatrixPair g = rows.sequence(packing, i).gradient().scaled(call.slot().scale());
      sums.values()[i] = g.a().dot(g.a()) + g.b().dot(g.b());
    }
    sums.addTo(call.norms());
  }

  @Override
  public void perSampleDot(PerSampleDot call) {
    Packing packing = call.packing();
    Rows rows = Rows.of(call.kept());
    long k = call.dots().dim(0);
    DoubleMatrix sums = DoubleMatrix.zeros(k, packing.count());
    for (int j = 0; j < k; j++) {
      MatrixPair t = MatrixPair.of(call.slot(), call.v().row(j));
      for (int i = 0; i < packing.count(); i++) {
        Rows sample = rows.sequence(packing, i);
        double dot =
            sample.h.dot(sample.xa.times(t.a().transposed()))
                + sample.gy.dot(sample.u.times(t.b().transposed()));
        sums.values()[j * sums.cols() + i] = call.slot().scale() * dot;
      }
    }
    sums.addTo(call.dots());
  }

  @Override
  public void weightedGradient(WeightedGradient call) {
    Packing packing = call.packing();
    Rows rows = Rows.of(call.kept());
    DoubleMatrix c = DoubleMatrix.of(call.weights());
    for (int j = 0; j < call.g().dim(0); j++) {
      for (int i = 0; i < packing.count(); i++) {
        rows.sequence(packing, i)
            .gradient()
            .scaled(call.scale() * call.slot().scale() * c.at(j, i))
            .put(call.slot(), call.g().row(j), true);
      }
    }
  }

  /** x̄ = ȳW + low, or x̄ = ȳW and x̄ₐ = low where the adapter has an input of its own. */
  private static void storeInputAdjoints(
      ReferenceLinear w, DoubleMatrix gOut, DoubleMatrix low, int j, InputAdjoint to) {
    if (to.gx() != null) {
      DoubleMatrix in = gOut.times(w.matrix());
      boolean shared = low != null && to.gxa() == null;
      (shared ? in.plus(low) : in).put(to.gx().row(j), to.accumulate());
    }
    if (to.gxa() != null) {
      low.store(to.gxa().row(j));
    }
  }

  /** What a layer keeps of its rows: xₐ (N,in), u (N,r), h (N,r), ȳ (N,out). */
  private record Rows(DoubleMatrix xa, DoubleMatrix u, DoubleMatrix h, DoubleMatrix gy) {
    static Rows of(Kept kept) {
      return new Rows(
          DoubleMatrix.of(kept.xa()), DoubleMatrix.of(kept.u()), DoubleMatrix.of(kept.h()), DoubleMatrix.of(kept.gy()));
    }

    Rows sequence(Packing packing, int i) {
      int first = packing.start(i);
      int end = packing.end(i);
      return new Rows(
          xa.rows(first, end), u.rows(first, end), h.rows(first, end), gy.rows(first, end));
    }

    /** (hᵀxₐ, ȳᵀu). */
    MatrixPair gradient() {
      return new MatrixPair(h.transposed().times(xa), gy.transposed().times(u));
    }
  }
}
