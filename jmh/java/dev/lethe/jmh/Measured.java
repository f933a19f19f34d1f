package dev.lethe.jmh;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/** What the scaling study measures. */
enum Measured {
  FORWARD("forward", m -> Gradients.losses(m.backend(), m.tape(), m.theta())),
  GRADIENT(
      "gradient",
      m -> Gradients.addGradient(m.backend(), m.tape(), m.theta(), 1e-3, m.g().row(0))),
  PER_SAMPLE("per-sample gradients", Measured::perSample),
  JVP("tangent", m -> linearized(m, Adjoints.NONE, at -> at.jvp(m.v()))),
  HVP(
      "Hessian product",
      m -> linearized(m, Adjoints.ALL, at -> at.addHvp(m.v(), 1e-3, m.g()))),
  GGN(
      "Gauss-Newton product",
      m -> linearized(m, Adjoints.NONE, at -> at.addGgn(m.v(), 1e-3, m.g())));

  /** What is run with one vector. */
  static final List<Measured> ONE_VECTOR = List.of(FORWARD, GRADIENT, PER_SAMPLE, JVP, HVP, GGN);

  /** What takes several. */
  static final List<Measured> MANY_VECTORS = List.of(JVP, HVP, GGN);

  private final String label;
  private final Consumer<ModelFixture> run;

  Measured(String label, Consumer<ModelFixture> run) {
    this.label = label;
    this.run = run;
  }

  /** Its name on charts. */
  String label() {
    return label;
  }

  /** Runs it once, from nothing. */
  void run(ModelFixture model) {
    run.accept(model);
  }

  private static void perSample(ModelFixture model) {
    Backend backend = model.backend();
    try (Scope scope = backend.openScope("per-sample gradients")) {
      Tensor g =
          scope.allocate(
              backend.vectorType(), model.size().samples(), model.theta().elements());
      Gradients.perSample(backend, model.tape(), model.theta(), g);
    }
  }

  private static void linearized(
      ModelFixture model, Adjoints wanted, Consumer<Linearization> use) {
    try (Linearization at =
        new Linearization(model.backend(), model.tape(), model.theta(), wanted)) {
      use.accept(at);
    }
  }
}
