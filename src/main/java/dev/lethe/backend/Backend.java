package dev.lethe.backend;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.kernel.Arguments;
import dev.lethe.backend.kernel.KernelCall;
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

/**
 * A device and the block operations that it computes. Tensors passed to kernels must lie on this
 * backend (allocated in one of its scopes). Several threads may call a backend: they take turns, one kernel call or
 * copy at a time, and get the numbers that they would get alone. A tensor or scope belongs to one thread at a time.
 */
public interface Backend extends AutoCloseable {
  /** Its name on the command line: {@code reference}, {@code cpu}, {@code cuda}. */
  String name();

  /** One line for people: device, instruction set, threads. */
  String description();

  /**
   * What decides how numbers are rounded here: two backends that say the same give the same bytes for the same
   * calls. By default the name, the format and the processor's architecture.
   */
  default String arithmetic() {
    return Text.format("%s, %s, %s", name(), activationType(), System.getProperty("os.arch"));
  }

  /** The format of activations. */
  DType activationType();

  /**
   * The format that factors of products with frozen weights are rounded to; sums are no narrower than
   * float32.
   */
  default DType productType() {
    return activationType();
  }

  /** The format of adapter parameters, gradients, directions and all solver vectors. */
  DType vectorType();

  /** The memory that this backend's scopes draw from. */
  Allocator allocator();

  /**
   * Opens a scope of memory on this backend; the caller closes it.
   *
   * @throws dev.lethe.ClosedException where this backend was closed, as all that computes does
   */
  default Scope openScope(String name) {
    turn().lifetime().requireOpen();
    return Scope.open(name, allocator(), turn().lifetime());
  }

  /**
   * Held during every call. Who holds it longer keeps several calls together; a thread that holds it may call the
   * backend.
   */
  Turn turn();

  /** Copies host numbers into a tensor of this backend, converting the format. */
  void upload(Tensor host, Tensor target);

  /** Copies a tensor of this backend into host memory, converting the format. */
  void download(Tensor source, Tensor host);

  /**
   * Takes over a frozen weight matrix, in the layout that this backend multiplies fastest.
   *
   * @param weight host tensor (out,in), any floating format; one packed in blocks is expanded where it is multiplied
   * @param bias host tensor (out), or null
   * @param transposed whether {@code x·W} (the backward product) will be needed besides {@code x·Wᵀ}
   * @param owner the scope that owns the copy
   */
  FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner);

  /**
   * Takes over the weights of layers that read one input, (outᵢ,in) each, in the layout in which a backend multiplies
   * them together fastest. Arguments are as those of {@link #freezeLinear}.
   *
   * @param biases as many as weights, null where there is none
   */
  default List<FrozenLinear> freezeTogether(
      List<Tensor> weights, List<Tensor> biases, boolean transposed, Scope owner) {
    List<FrozenLinear> frozen = new ArrayList<>();
    for (int i = 0; i < weights.size(); i++) {
      frozen.add(freezeLinear(weights.get(i), biases.get(i), transposed, owner));
    }
    return frozen;
  }

  /**
   * As {@link #freezeLinear} for a weight that is read where it lies, and converted where it is multiplied: the same numbers in less
   * memory and more time. Only where {@link #leavesWeights}.
   *
   * @param weight must stay alive as long as the owner
   */
  default FrozenLinear leaveLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    throw new IllegalStateException("device " + name() + " leaves no weight where it lies");
  }

  /**
   * Takes over a frozen embedding table, host tensor (V,D). A backend may read from the given memory
   * itself, so it must stay alive as long as the owner.
   */
  FrozenEmbedding freezeEmbedding(Tensor table, Scope owner);

  /** Whether this backend looked at all numbers of a host tensor, and they are finite; else somebody has to look. */
  default boolean sawFinite(Tensor host) {
    return false;
  }

  /** Takes over a frozen vector such as a norm's weight, host tensor (D), in activation format. */
  default Tensor freezeVector(Tensor host, Scope owner) {
    Tensor copy = owner.allocate(activationType(), host.shape());
    upload(host, copy);
    return copy;
  }

  /** What computes calls; it does not check them, so make calls by {@link #run}. */
  Kernels kernels();

  /**
   * Checks a call and computes it.
   *
   * @throws ArgumentException where an argument does not fit the others or this backend
   */
  default void run(KernelCall call) {
    Arguments.check(call, activationType(), vectorType());
    try (Turn.Taken mine = turn().take()) {
      call.on(kernels());
    }
  }

  /** Arithmetic on vectors of this backend. */
  default Vectors vectors() {
    return new Vectors(this);
  }

  /**
   * Prepares work that will be repeated unchanged: the same kernels on the same tensors, whose numbers may
   * change between replays. Nothing runs yet. A device may replay without running the work's Java code, so the
   * work must have no other effect than on tensors of this backend.
   *
   * @param name for messages
   */
  default KernelRecording record(String name, Runnable work) {
    return KernelRecording.none(work);
  }

  /** Whether a row's numbers, to the bit, do not depend on what else is in a batch. */
  default boolean rowsIndependent() {
    return false;
  }

  /** Whether kernel calls take columns of wider matrices where they say so, and gain by it. */
  default boolean takesColumns() {
    return false;
  }

  /** Whether frozen matrices that come packed in blocks stay so in memory. */
  default boolean keepsPacked() {
    return true;
  }

  /** Whether frozen matrices can stay where they lie, in host memory. */
  default boolean leavesWeights() {
    return false;
  }

  /** Bytes that a frozen matrix takes here, in all directions together. */
  default long weightBytes(DType stored, Shape shape) {
    return stored.isBlocks() && keepsPacked()
        ? stored.byteSize(shape.elements())
        : Math.multiplyExact(productType().bytes(), shape.elements());
  }

  /** Whether {@link #record} is worth fixed buffers. */
  default boolean records() {
    return false;
  }

  /**
   * Bytes that this backend's scopes can still take from a memory of its own; empty where they share the
   * system's.
   */
  default OptionalLong freeMemory() {
    return OptionalLong.empty();
  }

  /** Bytes in use now, and the most ever in use at a time. */
  MemoryUse memoryUse();

  /**
   * Time of each kernel since the last call, the longest first; empty unless the backend was opened with {@link
   * BackendOptions#timed}.
   */
  default List<KernelTime> takeKernelTimes() {
    return List.of();
  }

  /** Gives back threads and memory; tensors of this backend must no longer be used. */
  @Override
  void close();

  /** Bytes that live tensors hold now, and the most that they ever held. */
  record MemoryUse(long liveBytes, long peakBytes) {}
}
