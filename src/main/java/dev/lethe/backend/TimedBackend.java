package dev.lethe.backend;

import dev.lethe.backend.kernel.Arguments;
import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.KernelCost;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** A backend whose calls of kernels are timed and their costs counted. */
public final class TimedBackend implements Backend {
  private final Backend backend;
  private final KernelClock clock;

  private TimedBackend(Backend backend, KernelClock clock) {
    this.backend = backend;
    this.clock = clock;
  }

  /** Timed by the host's clock, for backends that have done the work when a call returns. */
  public static Backend of(Backend backend) {
    return of(backend, new HostClock());
  }

  /** Timed by another clock. */
  public static Backend of(Backend backend, KernelClock clock) {
    return new TimedBackend(backend, clock);
  }

  @Override
  public void run(KernelCall call) {
    Arguments.check(call, activationType(), vectorType());
    try (Turn.Taken mine = turn().take()) {
      clock.time(call.name(), call.cost(activationType()), () -> call.on(backend.kernels()));
    }
  }

  @Override
  public List<KernelTime> takeKernelTimes() {
    try (Turn.Taken mine = turn().take()) {
      return clock.take();
    }
  }

  @Override
  public Turn turn() {
    return backend.turn();
  }

  @Override
  public String name() {
    return backend.name();
  }

  @Override
  public String description() {
    return backend.description();
  }

  @Override
  public String arithmetic() {
    return backend.arithmetic();
  }

  @Override
  public DType activationType() {
    return backend.activationType();
  }

  @Override
  public DType productType() {
    return backend.productType();
  }

  @Override
  public DType vectorType() {
    return backend.vectorType();
  }

  @Override
  public Allocator allocator() {
    return backend.allocator();
  }

  @Override
  public void upload(Tensor host, Tensor target) {
    backend.upload(host, target);
  }

  @Override
  public void download(Tensor source, Tensor host) {
    backend.download(source, host);
  }

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    return backend.freezeLinear(weight, bias, transposed, owner);
  }

  @Override
  public List<FrozenLinear> freezeTogether(
      List<Tensor> weights, List<Tensor> biases, boolean transposed, Scope owner) {
    return backend.freezeTogether(weights, biases, transposed, owner);
  }

  @Override
  public FrozenLinear leaveLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    return backend.leaveLinear(weight, bias, transposed, owner);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return backend.freezeEmbedding(table, owner);
  }

  @Override
  public boolean sawFinite(Tensor host) {
    return backend.sawFinite(host);
  }

  @Override
  public Tensor freezeVector(Tensor host, Scope owner) {
    return backend.freezeVector(host, owner);
  }

  @Override
  public Kernels kernels() {
    return backend.kernels();
  }

  @Override
  public KernelRecording record(String name, Runnable work) {
    return backend.record(name, work);
  }

  @Override
  public boolean rowsIndependent() {
    return backend.rowsIndependent();
  }

  @Override
  public boolean takesColumns() {
    return backend.takesColumns();
  }

  @Override
  public boolean leavesWeights() {
    return backend.leavesWeights();
  }

  @Override
  public long weightBytes(DType stored, Shape shape) {
    return backend.weightBytes(stored, shape);
  }

  @Override
  public boolean keepsPacked() {
    return backend.keepsPacked();
  }

  @Override
  public boolean records() {
    return backend.records();
  }

  @Override
  public OptionalLong freeMemory() {
    return backend.freeMemory();
  }

  @Override
  public MemoryUse memoryUse() {
    return backend.memoryUse();
  }

  @Override
  public void close() {
    backend.close();
  }

  /** By the host's clock. */
  private static final class HostClock implements KernelClock {
    private static final double NANO = 1e-9;

    private final List<KernelTime> times = new ArrayList<>();

    @Override
    public void time(String call, KernelCost cost, Runnable work) {
      long start = System.nanoTime();
      work.run();
      double seconds = (System.nanoTime() - start) * NANO;
      times.add(new KernelTime(KernelTime.Level.CALL, call, 1, seconds, cost));
    }

    @Override
    public List<KernelTime> take() {
      List<KernelTime> taken = KernelTime.total(times);
      times.clear();
      return taken;
    }
  }
}
