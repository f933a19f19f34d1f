package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;

/** The LoRA linear layer, in matrix products that read as the formulas. */
final class ReferenceLora implements LoraKernels {
  @Override
  public void forward(LoraLinear layer, Tensor theta, Tensor x, Tensor xa, Tensor u, Tensor y) {
    ReferenceLinear w = ReferenceLinear.of(layer.weight());
    Require.rank("lora.forward: x", x, 2);
    long n = x.dim(0);
    Require.tensor("lora.forward: x", x, F64, n, w.in());
    Require.tensor("lora.forward: y", y, F64, n, w.out());
    Matrix out = w.apply(Matrix.of(x));
    if (layer.hasAdapter()) {
      LoraSlot slot = layer.slot();
      requireFit("lora.forward", slot, w);
      Require.tensor("lora.forward: xa", xa, F64, n, w.in());
      Require.tensor("lora.forward: u", u, F64, n, slot.rank());
      Adapter t = Adapter.of("lora.forward: theta", slot, theta);
      Matrix up = Matrix.of(xa).times(t.a().transposed());
      up.store(u);
      out = out.plus(up.times(t.b().transposed()).scaled(slot.scale()));
    }
    out.store(y);
  }

  @Override
  public void tangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor dx,
      Tensor dxa,
      Tensor du,
      Tensor dy) {
    ReferenceLinear w = ReferenceLinear.of(layer.weight());
    Require.rank("lora.tangent: dy", dy, 3);
    long k = dy.dim(0);
    long n = dy.dim(1);
    Require.tensor("lora.tangent: dy", dy, F64, k, n, w.out());
    Require.tensorOrNull("lora.tangent: dx", dx, F64, k, n, w.in());
    Require.tensorOrNull("lora.tangent: dxa", dxa, F64, k, n, w.in());
    Matrix wT = w.matrix().transposed();
    for (int j = 0; j < k; j++) {
      Matrix out = Matrix.direction(dx, j, n, w.in()).times(wT);
      if (layer.hasAdapter()) {
        LoraSlot slot = layer.slot();
        requireFit("lora.tangent", slot, w);
        Require.tensor("lora.tangent: xa", xa, F64, n, w.in());
        Require.tensor("lora.tangent: u", u, F64, n, slot.rank());
        Require.tensor("lora.tangent: du", du, F64, k, n, slot.rank());
        Adapter t = Adapter.of("lora.tangent: theta", slot, theta);
        Adapter dt = direction("lora.tangent: v", slot, v, k, j);
        Matrix dIn = Matrix.direction(dxa == null ? dx : dxa, j, n, w.in());
        Matrix dUp = dIn.times(t.a().transposed()).plus(Matrix.of(xa).times(dt.a().transposed()));
        dUp.store(du.row(j));
        Matrix low = dUp.times(t.b().transposed()).plus(Matrix.of(u).times(dt.b().transposed()));
        out = out.plus(low.scaled(slot.scale()));
      }
      out.store(dy.row(j));
    }
  }

  @Override
  public void backward(
      LoraLinear layer,
      Tensor theta,
      Tensor gy,
      Tensor h,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    ReferenceLinear w = ReferenceLinear.of(layer.weight());
    Require.rank("lora.backward: gy", gy, 3);
    long k = gy.dim(0);
    long n = gy.dim(1);
    Require.tensor("lora.backward: gy", gy, F64, k, n, w.out());
    Require.tensorOrNull("lora.backward: gx", gx, F64, k, n, w.in());
    Require.tensorOrNull("lora.backward: gxa", gxa, F64, k, n, w.in());
    for (int j = 0; j < k; j++) {
      Matrix gOut = Matrix.of(gy.row(j));
      Matrix low = null;
      if (layer.hasAdapter()) {
        LoraSlot slot = layer.slot();
        requireFit("lora.backward", slot, w);
        Require.tensor("lora.backward: h", h, F64, k, n, slot.rank());
        Adapter t = Adapter.of("lora.backward: theta", slot, theta);
        Matrix down = gOut.times(t.b());
        down.store(h.row(j));
        low = down.times(t.a()).scaled(slot.scale());
      }
      storeInputAdjoints("lora.backward", w, gOut, low, j, gx, gxa, accumulate);
    }
  }

  @Override
  public void backwardTangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor gy,
      Tensor h,
      Tensor dgy,
      Tensor dh,
      Tensor dgx,
      Tensor dgxa,
      boolean accumulate) {
    ReferenceLinear w = ReferenceLinear.of(layer.weight());
    long k = directions("lora.backwardTangent", dgy, dh, dgx);
    Require.rank("lora.backwardTangent: gy", gy, 2);
    long n = gy.dim(0);
    Require.tensor("lora.backwardTangent: gy", gy, F64, n, w.out());
    Require.tensorOrNull("lora.backwardTangent: dgy", dgy, F64, k, n, w.out());
    Require.tensorOrNull("lora.backwardTangent: dgx", dgx, F64, k, n, w.in());
    Require.tensorOrNull("lora.backwardTangent: dgxa", dgxa, F64, k, n, w.in());
    for (int j = 0; j < k; j++) {
      Matrix dgOut = Matrix.direction(dgy, j, n, w.out());
      Matrix low = null;
      if (layer.hasAdapter()) {
        LoraSlot slot = layer.slot();
        requireFit("lora.backwardTangent", slot, w);
        Require.tensor("lora.backwardTangent: h", h, F64, n, slot.rank());
        Require.tensor("lora.backwardTangent: dh", dh, F64, k, n, slot.rank());
        Adapter t = Adapter.of("lora.backwardTangent: theta", slot, theta);
        Adapter dt = direction("lora.backwardTangent: v", slot, v, k, j);
        Matrix dDown = dgOut.times(t.b()).plus(Matrix.of(gy).times(dt.b()));
        dDown.store(dh.row(j));
        low = dDown.times(t.a()).plus(Matrix.of(h).times(dt.a())).scaled(slot.scale());
      }
      storeInputAdjoints("lora.backwardTangent", w, dgOut, low, j, dgx, dgxa, accumulate);
    }
  }

  @Override
  public void gradient(
      LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g) {
    Require.rank("lora.gradient: g", g, 2);
    long k = g.dim(0);
    long n = requireInputs("lora.gradient", slot, xa, u);
    Require.tensor("lora.gradient: h", h, F64, k, n, slot.rank());
    Require.tensor("lora.gradient: gy", gy, F64, k, n, slot.out());
    for (int j = 0; j < k; j++) {
      Rows rows = new Rows(Matrix.of(xa), Matrix.of(u), Matrix.of(h.row(j)), Matrix.of(gy.row(j)));
      rows.gradient().scaled(scale * slot.scale()).put("lora.gradient: g", slot, g.row(j), true);
    }
  }

  @Override
  public void gradientTangent(
      LoraSlot slot,
      Tensor xa,
      Tensor u,
      Tensor dxa,
      Tensor du,
      Tensor h,
      Tensor gy,
      Tensor dh,
      Tensor dgy,
      double scale,
      Tensor g) {
    Require.rank("lora.gradientTangent: g", g, 2);
    long k = g.dim(0);
    long n = requireInputs("lora.gradientTangent", slot, xa, u);
    requireAdjoints("lora.gradientTangent", slot, n, h, gy);
    Require.tensorOrNull("lora.gradientTangent: dxa", dxa, F64, k, n, slot.in());
    Require.tensor("lora.gradientTangent: du", du, F64, k, n, slot.rank());
    Require.tensor("lora.gradientTangent: dh", dh, F64, k, n, slot.rank());
    Require.tensorOrNull("lora.gradientTangent: dgy", dgy, F64, k, n, slot.out());
    Rows rows = Rows.of(xa, u, h, gy);
    for (int j = 0; j < k; j++) {
      Matrix dIn = Matrix.direction(dxa, j, n, slot.in());
      Matrix dUp = Matrix.of(du.row(j));
      Matrix dDown = Matrix.of(dh.row(j));
      Matrix dgOut = Matrix.direction(dgy, j, n, slot.out());
      Matrix a = dDown.transposed().times(rows.xa).plus(rows.h.transposed().times(dIn));
      Matrix b = dgOut.transposed().times(rows.u).plus(rows.gy.transposed().times(dUp));
      new Adapter(a, b)
          .scaled(scale * slot.scale())
          .put("lora.gradientTangent: g", slot, g.row(j), true);
    }
  }

  @Override
  public void perSampleGradient(
      LoraSlot slot,
      Packing packing,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    requireSamples("lora.perSampleGradient", slot, packing, xa, u, h, gy);
    Require.rank("lora.perSampleGradient: g", g, 2);
    Require.tensor("lora.perSampleGradient: g", g, F64, packing.count(), g.dim(1));
    Rows rows = Rows.of(xa, u, h, gy);
    for (int i = 0; i < packing.count(); i++) {
      rows.sequence(packing, i)
          .gradient()
          .scaled(scale * slot.scale())
          .put("lora.perSampleGradient: g", slot, g.row(i), false);
    }
  }

  @Override
  public void perSampleSquaredNorm(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms) {
    requireSamples("lora.perSampleSquaredNorm", slot, packing, xa, u, h, gy);
    Require.tensor("lora.perSampleSquaredNorm: norms", norms, F64, packing.count());
    Rows rows = Rows.of(xa, u, h, gy);
    Matrix sums = Matrix.zeros(1, packing.count());
    for (int i = 0; i < packing.count(); i++) {
      Adapter g = rows.sequence(packing, i).gradient().scaled(slot.scale());
      sums.values()[i] = g.a().dot(g.a()) + g.b().dot(g.b());
    }
    sums.addTo(norms);
  }

  @Override
  public void perSampleDot(
      LoraSlot slot,
      Packing packing,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      Tensor dots) {
    requireSamples("lora.perSampleDot", slot, packing, xa, u, h, gy);
    Require.rank("lora.perSampleDot: dots", dots, 2);
    long k = dots.dim(0);
    Require.tensor("lora.perSampleDot: dots", dots, F64, k, packing.count());
    Rows rows = Rows.of(xa, u, h, gy);
    Matrix sums = Matrix.zeros(k, packing.count());
    for (int j = 0; j < k; j++) {
      Adapter t = direction("lora.perSampleDot: v", slot, v, k, j);
      for (int i = 0; i < packing.count(); i++) {
        Rows sample = rows.sequence(packing, i);
        double dot =
            sample.h.dot(sample.xa.times(t.a().transposed()))
                + sample.gy.dot(sample.u.times(t.b().transposed()));
        sums.values()[j * sums.cols() + i] = slot.scale() * dot;
      }
    }
    sums.addTo(dots);
  }

  @Override
  public void weightedGradient(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    requireSamples("lora.weightedGradient", slot, packing, xa, u, h, gy);
    Require.rank("lora.weightedGradient: g", g, 2);
    long k = g.dim(0);
    Require.tensor("lora.weightedGradient: weights", weights, F64, k, packing.count());
    Rows rows = Rows.of(xa, u, h, gy);
    Matrix c = Matrix.of(weights);
    for (int j = 0; j < k; j++) {
      for (int i = 0; i < packing.count(); i++) {
        rows.sequence(packing, i)
            .gradient()
            .scaled(scale * slot.scale() * c.at(j, i))
            .put("lora.weightedGradient: g", slot, g.row(j), true);
      }
    }
  }

  /** x̄ = ȳW + low, or x̄ = ȳW and x̄ₐ = low where the adapter has an input of its own. */
  private static void storeInputAdjoints(
      String operation,
      ReferenceLinear w,
      Matrix gOut,
      Matrix low,
      int j,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    if (gx != null) {
      Matrix in = gOut.times(w.backwardMatrix(operation));
      boolean shared = low != null && gxa == null;
      (shared ? in.plus(low) : in).put(gx.row(j), accumulate);
    }
    if (gxa != null) {
      Require.that(low != null, operation + ": adjoint of xa", "null without an adapter", gxa);
      low.store(gxa.row(j));
    }
  }

  private static Adapter direction(String what, LoraSlot slot, Tensor v, long k, int j) {
    Require.rank(what, v, 2);
    Require.tensor(what, v, F64, k, v.dim(1));
    return Adapter.of(what, slot, v.row(j));
  }

  /** The leading k of whichever of these is there. */
  private static long directions(String operation, Tensor... candidates) {
    for (Tensor candidate : candidates) {
      if (candidate != null) {
        Require.rank(operation + ": tangents", candidate, 3);
        return candidate.dim(0);
      }
    }
    return 0;
  }

  private static void requireFit(String operation, LoraSlot slot, ReferenceLinear w) {
    Require.that(
        slot.in() == w.in() && slot.out() == w.out(),
        operation + ": slot",
        "an adapter of " + w.in() + " inputs and " + w.out() + " outputs",
        slot);
  }

  private static long requireInputs(String operation, LoraSlot slot, Tensor xa, Tensor u) {
    Require.rank(operation + ": xa", xa, 2);
    Require.tensor(operation + ": xa", xa, F64, xa.dim(0), slot.in());
    Require.tensor(operation + ": u", u, F64, xa.dim(0), slot.rank());
    return xa.dim(0);
  }

  private static void requireAdjoints(
      String operation, LoraSlot slot, long n, Tensor h, Tensor gy) {
    Require.tensor(operation + ": h", h, F64, n, slot.rank());
    Require.tensor(operation + ": gy", gy, F64, n, slot.out());
  }

  private static void requireSamples(
      String operation, LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy) {
    long n = requireInputs(operation, slot, xa, u);
    requireAdjoints(operation, slot, n, h, gy);
    Require.that(packing.rows() == n, operation + ": packing", n + " rows", packing);
  }

  /** What a layer keeps of its rows: xₐ (N,in), u (N,r), h (N,r), ȳ (N,out). */
  private record Rows(Matrix xa, Matrix u, Matrix h, Matrix gy) {
    static Rows of(Tensor xa, Tensor u, Tensor h, Tensor gy) {
      return new Rows(Matrix.of(xa), Matrix.of(u), Matrix.of(h), Matrix.of(gy));
    }

    Rows sequence(Packing packing, int i) {
      int first = packing.start(i);
      int end = packing.end(i);
      return new Rows(
          xa.rows(first, end), u.rows(first, end), h.rows(first, end), gy.rows(first, end));
    }

    /** (hᵀxₐ, ȳᵀu). */
    Adapter gradient() {
      return new Adapter(h.transposed().times(xa), gy.transposed().times(u));
    }
  }
}
