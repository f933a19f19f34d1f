package dev.lethe.autograd;

import dev.lethe.ArgumentException;
import dev.lethe.Lifetime;
import dev.lethe.Text;
import dev.lethe.autograd.Gradients.AdapterRule;
import dev.lethe.autograd.op.BackwardTangentPass;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.TangentPass;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * A tape at fixed parameters with its activations kept, and its adjoints from when something first reads
 * them, so that every derivative of the losses costs only what is new. With F the cost of one forward:
 * making it F, its adjoints F, {@link #addGradient}, {@link #perSampleGradients} and {@link #addFisher} the
 * adjoints and the adapters' own products, {@link #jvp} F, {@link #addGgn} 2F, {@link #addHvp} the adjoints and
 * 2F, {@link #drawn} F for each draw.
 *
 * <p>The objective is Σᵢ ℓᵢ over the samples of the tape, ℓᵢ the mean cross-entropy over the supervised
 * rows of sample i; a mean is a matter of the {@code scale} that the add methods take. All directions and
 * products are (k,P): k vectors share every pass.
 *
 * <p>Long because it lists what a linearized tape gives, each a few lines over the same kept state.
 */
public final class Linearization implements AutoCloseable {
  private final Backend backend;
  private final Tape tape;
  private final Tensor theta;
  private final Lifetime lifetime = new Lifetime("linearization");
  private final Scope scope;
  private final Slots primal;
  private final LossAdjoints adjoints;
  private final double[] losses;

  /**
   * Runs the tape forward and keeps what products need; adjoints are made when something first reads them,
   * and kept.
   *
   * @param theta adapter parameters (P); must not change while this lives
   */
  public Linearization(Backend backend, Tape tape, Tensor theta) {
    this(backend, tape, theta, Adjoints.ALL, false);
  }

  /**
   * Runs the tape forward and makes the adjoints that will be read, so that later passes allocate nothing
   * that stays. With {@link Adjoints#NONE} the loss is spared its adjoint too; what reads adjoints all the
   * same makes them for itself, at 3F. With {@link Adjoints#LOSS} a Hessian product holds two adjoints at a time
   * instead of those of the whole tape.
   *
   * @param theta adapter parameters (P); must not change while this lives
   */
  public Linearization(Backend backend, Tape tape, Tensor theta, Adjoints wanted) {
    this(backend, tape, theta, wanted, true);
  }

  private Linearization(Backend backend, Tape tape, Tensor theta, Adjoints wanted, boolean now) {
    this.backend = backend;
    this.tape = tape;
    this.theta = theta;
    this.scope = backend.openScope("linearization").of(lifetime);
    this.primal = Slots.ofPrimals(backend, scope, tape.layout());
    this.adjoints = new LossAdjoints(backend, tape, theta, scope, primal, wanted);
    try {
      this.losses = run();
      if (now && adjoints.keeps()) {
        adjoints.require(wanted);
      }
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private double[] run() {
    CrossEntropy end = tape.loss();
    Set<Integer> keep = new TreeSet<>(tape.savedPrimals());
    keep.add(end.x().id());
    ForwardPass pass = new ForwardPass(backend, theta, primal);
    Passes.forward(tape, false, primal, keep, op -> op.forward(pass));
    end.forward(pass, true, adjoints.ofForward());
    return Gradients.sampleLosses(backend, end, primal.get(end.loss()));
  }

  /** Samples of the tape. */
  public int samples() {
    lifetime.requireOpen();
    return tape.packing().count();
  }

  /** Length of the parameter vector. */
  public long parameters() {
    lifetime.requireOpen();
    return theta.elements();
  }

  /** Bytes that a pass of products takes for each of its vectors, and at most. */
  public long bytesPerVector() {
    lifetime.requireOpen();
    Set<Value> values = new HashSet<>();
    for (Op op : tape.body()) {
      if (op.active()) {
        values.addAll(op.inputs());
        values.addAll(op.outputs());
      }
    }
    return values.stream().filter(Value::active).mapToLong(primal::bytes).sum();
  }

  /** ℓᵢ of every sample. */
  public double[] losses() {
    lifetime.requireOpen();
    return losses.clone();
  }

  /** The mean gradient (1/n)Σᵢ∇ℓᵢ, a new (P) tensor of the given scope. */
  public Tensor gradient(Scope owner) {
    lifetime.requireOpen();
    Tensor g = zeros(owner, 1).row(0);
    addGradient(1.0 / samples(), g);
    return g;
  }

  /** ∇ℓᵢ of every sample, a new (n,P) tensor of the given scope. */
  public Tensor perSampleGradients(Scope owner) {
    lifetime.requireOpen();
    Tensor g = owner.allocate(backend.vectorType(), samples(), parameters());
    perSampleGradients(g);
    return g;
  }

  /** The mean Gauss-Newton products (1/n)Σᵢ JᵢᵀHᵢJᵢ v: v (k,P), a new (k,P) tensor. */
  public Tensor ggn(Tensor v, Scope owner) {
    lifetime.requireOpen();
    Tensor out = zeros(owner, v.dim(0));
    addGgn(v, 1.0 / samples(), out);
    return out;
  }

  /** The mean Hessian products (1/n)Σᵢ ∇²ℓᵢ v: v (k,P), a new (k,P) tensor. */
  public Tensor hvp(Tensor v, Scope owner) {
    lifetime.requireOpen();
    Tensor out = zeros(owner, v.dim(0));
    addHvp(v, 1.0 / samples(), out);
    return out;
  }

  /** The mean empirical Fisher products (1/n)Σᵢ gᵢ⟨gᵢ,v⟩: v (k,P), a new (k,P) tensor. */
  public Tensor fisher(Tensor v, Scope owner) {
    lifetime.requireOpen();
    Tensor out = zeros(owner, v.dim(0));
    addFisher(v, 1.0 / samples(), out);
    return out;
  }

  /** Adds scale·Σᵢ∇ℓᵢ to g (P). */
  public void addGradient(double scale, Tensor g) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(new Gradients.Sum(backend, scale, g.reshape(1, g.elements())));
  }

  /** Stores ∇ℓᵢ of every sample in g (n,P). */
  public void perSampleGradients(Tensor g) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.PerSampleGradient(
                    slot, tape.packing(), kept.row(0), 1, g)));
  }

  /** Adds ‖∇ℓᵢ‖² of every sample to norms (n), from the kept adjoints without keeping a gradient. */
  public void addPerSampleSquaredNorms(Tensor norms) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.PerSampleSquaredNorm(
                    slot, tape.packing(), kept.row(0), norms)));
  }

  /**
   * Adds ⟨∇ℓᵢ, v⟩ of every sample to dots, from the kept adjoints without forming a gradient.
   *
   * @param v (k,P)
   * @param dots (k,n)
   */
  public void addPerSampleDots(Tensor v, Tensor dots) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.PerSampleDot(slot, tape.packing(), v, kept.row(0), dots)));
  }

  /** Adds scale·Σᵢ cᵢ∇ℓᵢ to each row of g: weights c (k,n), g (k,P). */
  public void addWeightedGradient(Tensor weights, double scale, Tensor g) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.WeightedGradient(
                    slot, tape.packing(), weights, kept.row(0), scale, g)));
  }

  /**
   * Directional derivatives of the sample losses by a tangent pass.
   *
   * @param v (k,P)
   * @return ⟨∇ℓᵢ, v⟩, k rows of n
   */
  public double[][] jvp(Tensor v) {
    lifetime.requireOpen();
    CrossEntropy end = tape.loss();
    int k = Math.toIntExact(v.dim(0));
    double[][] result = new double[k][samples()];
    if (!end.x().active()) {
      return result;
    }
    try (Scope scratch = backend.openScope("jvp")) {
      TangentPass pass = tangents(scratch, v, Set.of(end.x().id()));
      end.tangent(pass);
      double[] rows = Gradients.download(backend, pass.tangent().get(end.loss()));
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
    lifetime.requireOpen();
    if (!tape.loss().x().active()) {
      return;
    }
    CrossEntropy end = tape.loss();
    try (Scope scratch = backend.openScope("ggn")) {
      TangentPass pass = tangents(scratch, v, Set.of(end.x().id()));
      Slots cotangent = Slots.ofAdjoints(backend, scratch, tape.layout(), v.dim(0));
      end.curvature(pass, cotangent);
      pass.tangent().drop(end.x());
      adjoints.reverse(cotangent, new Gradients.Sum(backend, scale, out));
    }
  }

  /** Adds scale·Σᵢ ∇²ℓᵢ v to out; v, out (k,P). Pearlmutter's R-operator, forward over reverse. */
  public void addHvp(Tensor v, double scale, Tensor out) {
    lifetime.requireOpen();
    if (!tape.loss().x().active()) {
      return;
    }
    CrossEntropy end = tape.loss();
    try (Scope scratch = backend.openScope("hvp")) {
      boolean kept = adjoints.keeps();
      Slots adjoint = kept ? adjoints.require(Adjoints.ALL) : adjoints.begun(scratch);
      Set<Integer> keep = new TreeSet<>(tape.savedPrimals());
      keep.add(end.x().id());
      Slots tangent = tangents(scratch, v, keep).tangent();
      Slots adjointTangent = Slots.ofAdjoints(backend, scratch, tape.layout(), v.dim(0));
      BackwardTangentPass.Directions along = new BackwardTangentPass.Directions(v, scale, out);
      BackwardTangentPass pass =
          new BackwardTangentPass(
              backend, theta, along, primal, adjoint, tangent, adjointTangent);
      end.backwardTangent(pass);
      Passes.reverse(
          tape,
          adjointTangent,
          Set.of(),
          kept ? List.of(tangent) : List.of(tangent, adjoint),
          op -> {
            if (!kept) {
              op.backward(adjoints.pass(adjoint));
            }
            op.backwardTangent(pass);
          });
    }
  }

  /** Adds scale·Σᵢ gᵢ⟨gᵢ,v⟩ to out; v, out (k,P). */
  public void addFisher(Tensor v, double scale, Tensor out) {
    lifetime.requireOpen();
    try (Scope pass = backend.openScope("fisher")) {
      Tensor dots = pass.allocate(backend.vectorType(), v.dim(0), samples());
      backend.vectors().fill(dots, 0);
      addPerSampleDots(v, dots);
      addWeightedGradient(dots, scale, out);
    }
  }

  /** Hands out the adjoints of the losses, h (1,N,r) and gy (1,N,out), the last adapter first. */
  public void forEachAdapter(AdapterVisitor visitor) {
    lifetime.requireOpen();
    adjoints.forEachAdapter(
        (slot, kept) -> visitor.visit(slot, kept.xa(), kept.u(), kept.h(), kept.gy()));
  }

  /**
   * Hands out the adjoints of losses whose labels are drawn from the model, q draws at a time, the last adapter
   * first: h (q,N,r) and gy (q,N,out), with a supervised row's part multiplied by the root of its weight. Outer
   * products of parameter gradients under them have the Gauss-Newton matrix as their mean ({@link
   * dev.lethe.backend.kernel.LossKernels#drawn}).
   *
   * @param draws q
   * @param own whether the losses' own adjoints are wanted behind them: h (q+1,N,r) and gy (q+1,N,out)
   */
  public void drawn(int draws, boolean own, long seed, AdapterVisitor visitor) {
    lifetime.requireOpen();
    runDrawn(draws, own, seed, (slot, kept) -> visitor.visit(slot, kept.xa(), kept.u(), kept.h(), kept.gy()));
  }

  /**
   * Stores the gradients of losses with drawn labels: (1/q) Σⱼ of a sample's rows ggᵀ has its Gauss-Newton
   * matrix as its mean.
   *
   * @param rows (q·n,P) out, row j·n+i of sample i under draw j
   */
  public void drawnGradients(long seed, Tensor rows) {
    lifetime.requireOpen();
    int n = samples();
    int draws = Math.toIntExact(rows.dim(0) / n);
    if (rows.dim(0) != (long) draws * n) {
      throw new ArgumentException(
          Text.format("%d rows of drawn gradients of %d samples", rows.dim(0), n));
    }
    runDrawn(
        draws,
        false,
        seed,
        (slot, kept) -> {
          for (int j = 0; j < draws; j++) {
            Tensor of = rows.slice((long) j * n, n);
            backend.run(
                new LoraGradientKernels.PerSampleGradient(
                    slot, tape.packing(), kept.row(j), 1, of));
          }
        });
  }

  private void runDrawn(int draws, boolean own, long seed, AdapterRule rule) {
    if (!tape.loss().x().active()) {
      return;
    }
    try (Scope scratch = backend.openScope("drawn")) {
      Slots cotangent = Slots.ofAdjoints(backend, scratch, tape.layout(), own ? draws + 1 : draws);
      Tensor gx = adjoints.ofLoss(scratch);
      tape.loss().drawn(adjoints.pass(cotangent), gx, draws, seed, scratch);
      if (own) {
        Tensor behind = cotangent.get(tape.loss().x()).row(draws);
        backend.run(new RowKernels.CopyColumns(gx, 0, behind, 0, gx.dim(1)));
      }
      adjoints.reverse(cotangent, rule);
    }
  }

  /** Gives back everything kept; closing twice is harmless. */
  @Override
  public void close() {
    lifetime.end();
    scope.close();
  }

  private TangentPass tangents(Scope scratch, Tensor v, Set<Integer> keep) {
    Slots tangent = Slots.ofTangents(backend, scratch, tape.layout(), v.dim(0));
    TangentPass pass = new TangentPass(backend, theta, v, primal, tangent);
    Passes.forward(tape, true, tangent, keep, op -> op.tangent(pass));
    return pass;
  }

  private Tensor zeros(Scope owner, long k) {
    Tensor tensor = owner.allocate(backend.vectorType(), k, parameters());
    backend.vectors().fill(tensor, 0);
    return tensor;
  }
}
