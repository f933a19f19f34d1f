package dev.lethe.autograd;

import dev.lethe.autograd.Gradients.AdapterRule;
import dev.lethe.autograd.Gradients.AdapterState;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A tape at fixed parameters with its activations and adjoints kept, so that every derivative of the
 * losses costs only what is new. With F the cost of one forward: making it 2F, {@link #addGradient},
 * {@link #perSampleGradients} and {@link #addFisher} only the adapters' own products, {@link #jvp} F,
 * {@link #addGgn} and {@link #addHvp} 2F.
 *
 * <p>The objective is Σᵢ ℓᵢ over the samples of the tape, ℓᵢ the mean cross-entropy over the supervised
 * rows of sample i; a mean is a matter of the {@code scale} that the add methods take. All directions and
 * products are (k,P): k vectors share every pass.
 */
public final class Linearization implements AutoCloseable {
  private final Backend backend;
  private final Tape tape;
  private final Tensor theta;
  private final Scope scope;
  private final Slots primal;
  private final Slots adjoint;
  private final double[] losses;
  private final List<Op.Linear> adapters;

  /**
   * Runs the tape forward and backward and keeps what products need.
   *
   * @param theta adapter parameters (P); must not change while this lives
   */
  public Linearization(Backend backend, Tape tape, Tensor theta) {
    this.backend = backend;
    this.tape = tape;
    this.theta = theta;
    this.adapters =
        tape.ops().stream()
            .filter(op -> op instanceof Op.Linear l && l.layer().hasAdapter())
            .map(Op.Linear.class::cast)
            .toList();
    this.scope = backend.openScope("linearization");
    this.primal = new Slots(backend, scope, tape);
    this.adjoint = new Slots(backend, scope, tape);
    try {
      this.losses = run();
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private double[] run() {
    Op.CrossEntropy end = tape.loss();
    Set<Integer> keep = new TreeSet<>(tape.savedPrimals());
    keep.add(end.loss().id());
    ForwardRules forward = new ForwardRules(backend, theta, primal, adjoint, true);
    Passes.forward(tape, false, primal, keep, forward::apply);
    double[] sampleLosses = Gradients.sampleLosses(backend, end, primal.get(end.loss()));
    BackwardRules backward = new BackwardRules(backend, theta, 1, primal, adjoint, adapter -> {});
    Passes.reverse(tape, adjoint, tape.savedAdjoints(), List.of(), backward::apply);
    return sampleLosses;
  }

  /** Samples of the tape. */
  public int samples() {
    return tape.packing().count();
  }

  /** Length of the parameter vector. */
  public long parameters() {
    return theta.elements();
  }

  /** Bytes that a pass of products takes for each of its vectors, and at most. */
  public long bytesPerVector() {
    Set<Value> values = new HashSet<>();
    for (Op op : tape.ops()) {
      if (op.active() && !(op instanceof Op.CrossEntropy)) {
        values.addAll(op.inputs());
        values.addAll(op.outputs());
      }
    }
    return values.stream().filter(Value::active).mapToLong(primal::bytes).sum();
  }

  /** ℓᵢ of every sample. */
  public double[] losses() {
    return losses.clone();
  }

  /** The mean gradient (1/n)Σᵢ∇ℓᵢ, a new (P) tensor of the given scope. */
  public Tensor gradient(Scope owner) {
    Tensor g = zeros(owner, 1).row(0);
    addGradient(1.0 / samples(), g);
    return g;
  }

  /** ∇ℓᵢ of every sample, a new (n,P) tensor of the given scope. */
  public Tensor perSampleGradients(Scope owner) {
    Tensor g = owner.allocate(backend.vectorType(), samples(), parameters());
    perSampleGradients(g);
    return g;
  }

  /** The mean Gauss-Newton products (1/n)Σᵢ JᵢᵀHᵢJᵢ v: v (k,P), a new (k,P) tensor. */
  public Tensor ggn(Tensor v, Scope owner) {
    Tensor out = zeros(owner, v.dim(0));
    addGgn(v, 1.0 / samples(), out);
    return out;
  }

  /** The mean Hessian products (1/n)Σᵢ ∇²ℓᵢ v: v (k,P), a new (k,P) tensor. */
  public Tensor hvp(Tensor v, Scope owner) {
    Tensor out = zeros(owner, v.dim(0));
    addHvp(v, 1.0 / samples(), out);
    return out;
  }

  /** The mean empirical Fisher products (1/n)Σᵢ gᵢ⟨gᵢ,v⟩: v (k,P), a new (k,P) tensor. */
  public Tensor fisher(Tensor v, Scope owner) {
    Tensor out = zeros(owner, v.dim(0));
    addFisher(v, 1.0 / samples(), out);
    return out;
  }

  /** Adds scale·Σᵢ∇ℓᵢ to g (P). */
  public void addGradient(double scale, Tensor g) {
    Tensor row = g.reshape(1, g.elements());
    forAdapters(
        (lora, a) -> lora.gradient(a.op().layer().slot(), a.xa(), a.u(), a.h(), a.gy(), scale, row));
  }

  /** Stores ∇ℓᵢ of every sample in g (n,P). */
  public void perSampleGradients(Tensor g) {
    forAdapters(
        (lora, a) ->
            lora.perSampleGradient(
                a.op().layer().slot(),
                tape.packing(),
                a.xa(),
                a.u(),
                a.h().row(0),
                a.gy().row(0),
                1,
                g));
  }

  /** Adds ‖∇ℓᵢ‖² of every sample to norms (n), from the kept adjoints without keeping a gradient. */
  public void addPerSampleSquaredNorms(Tensor norms) {
    forAdapters(
        (lora, a) ->
            lora.perSampleSquaredNorm(
                a.op().layer().slot(),
                tape.packing(),
                a.xa(),
                a.u(),
                a.h().row(0),
                a.gy().row(0),
                norms));
  }

  /**
   * Adds ⟨∇ℓᵢ, v⟩ of every sample to dots, from the kept adjoints without forming a gradient.
   *
   * @param v (k,P)
   * @param dots (k,n)
   */
  public void addPerSampleDots(Tensor v, Tensor dots) {
    forAdapters(
        (lora, a) ->
            lora.perSampleDot(
                a.op().layer().slot(),
                tape.packing(),
                v,
                a.xa(),
                a.u(),
                a.h().row(0),
                a.gy().row(0),
                dots));
  }

  /** Adds scale·Σᵢ cᵢ∇ℓᵢ to each row of g: weights c (k,n), g (k,P). */
  public void addWeightedGradient(Tensor weights, double scale, Tensor g) {
    forAdapters(
        (lora, a) ->
            lora.weightedGradient(
                a.op().layer().slot(),
                tape.packing(),
                weights,
                a.xa(),
                a.u(),
                a.h().row(0),
                a.gy().row(0),
                scale,
                g));
  }

  /**
   * Directional derivatives of the sample losses by a tangent pass.
   *
   * @param v (k,P)
   * @return ⟨∇ℓᵢ, v⟩, k rows of n
   */
  public double[][] jvp(Tensor v) {
    Op.CrossEntropy end = tape.loss();
    int k = Math.toIntExact(v.dim(0));
    double[][] result = new double[k][samples()];
    if (adapters.isEmpty()) {
      return result;
    }
    try (Scope pass = backend.openScope("jvp")) {
      Slots tangent = tangents(pass, v, Set.of(end.x().id()));
      Tensor dLoss = pass.allocate(backend.vectorType(), k, end.x().rows());
      Tensor p = primal.get(end.p());
      backend.loss().tangent(end.head(), p, end.targets(), tangent.get(end.x()), dLoss);
      double[] rows = Gradients.download(backend, dLoss);
      double[] weights = Gradients.download(backend, end.weights());
      for (int j = 0; j < k; j++) {
        int first = Math.toIntExact(j * end.x().rows());
        result[j] = Gradients.sampleSums(end.packing(), rows, first, weights);
      }
    }
    return result;
  }

  /** Adds scale·Σᵢ JᵢᵀHᵢJᵢ v to out; v, out (k,P). Hᵢ is the loss's Hessian in the logits. */
  public void addGgn(Tensor v, double scale, Tensor out) {
    if (adapters.isEmpty()) {
      return;
    }
    Op.CrossEntropy end = tape.loss();
    try (Scope pass = backend.openScope("ggn")) {
      Slots tangent = tangents(pass, v, Set.of(end.x().id()));
      Slots cotangent = new Slots(backend, pass, tape);
      Tensor gx = cotangent.allocate(end.x(), v.dim(0));
      Tensor p = primal.get(end.p());
      Tensor primalGx = adjoint.single(end.x());
      Tensor dx = tangent.get(end.x());
      backend
          .loss()
          .backwardTangent(end.head(), p, end.targets(), end.weights(), primalGx, dx, gx);
      tangent.drop(end.x());
      AdapterRule rule =
          (lora, a) ->
              lora.gradient(a.op().layer().slot(), a.xa(), a.u(), a.h(), a.gy(), scale, out);
      BackwardRules backward =
          new BackwardRules(
              backend,
              theta,
              v.dim(0),
              primal,
              cotangent,
              op -> rule.apply(backend.lora(), AdapterState.of(op, primal, cotangent)));
      Passes.reverse(tape, cotangent, Set.of(), List.of(), backward::apply);
    }
  }

  /** Adds scale·Σᵢ ∇²ℓᵢ v to out; v, out (k,P). Pearlmutter's R-operator, forward over reverse. */
  public void addHvp(Tensor v, double scale, Tensor out) {
    if (adapters.isEmpty()) {
      return;
    }
    Op.CrossEntropy end = tape.loss();
    try (Scope pass = backend.openScope("hvp")) {
      Set<Integer> keep = new TreeSet<>(tape.savedPrimals());
      keep.add(end.x().id());
      Slots tangent = tangents(pass, v, keep);
      Slots adjointTangent = new Slots(backend, pass, tape);
      BackwardTangentRules rules =
          new BackwardTangentRules(
              backend,
              theta,
              new BackwardTangentRules.Directions(v, scale, out),
              primal,
              adjoint,
              tangent,
              adjointTangent);
      Passes.reverse(tape, adjointTangent, Set.of(), List.of(tangent), rules::apply);
    }
  }

  /** Adds scale·Σᵢ gᵢ⟨gᵢ,v⟩ to out; v, out (k,P). */
  public void addFisher(Tensor v, double scale, Tensor out) {
    try (Scope pass = backend.openScope("fisher")) {
      Tensor dots = pass.allocate(backend.vectorType(), v.dim(0), samples());
      backend.vectors().fill(dots, 0);
      addPerSampleDots(v, dots);
      addWeightedGradient(dots, scale, out);
    }
  }

  /** Gives back everything kept; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }

  private Slots tangents(Scope pass, Tensor v, Set<Integer> keep) {
    Slots tangent = new Slots(backend, pass, tape);
    TangentRules rules = new TangentRules(backend, theta, v, primal, tangent);
    Passes.forward(tape, true, tangent, keep, rules::apply);
    return tangent;
  }

  private void forAdapters(AdapterRule rule) {
    for (Op.Linear op : adapters) {
      rule.apply(backend.lora(), AdapterState.of(op, primal, adjoint));
    }
  }

  private Tensor zeros(Scope owner, long k) {
    Tensor tensor = owner.allocate(backend.vectorType(), k, parameters());
    backend.vectors().fill(tensor, 0);
    return tensor;
  }
}
