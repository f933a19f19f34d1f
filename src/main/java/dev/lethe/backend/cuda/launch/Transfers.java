package dev.lethe.backend.cuda.launch;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Locale;
import java.util.Set;

/**
 * Copies between host tensors and device tensors. Floating formats are converted by kernels/cast.cu: what
 * crosses the bus is the file's own bytes. Other formats are converted on the host.
 */
public final class Transfers {
  /** Bytes converted at a time, on the device or on the host. */
  private static final long CHUNK_BYTES = 16 << 20;

  private static final Set<DType> DOWNLOADED = Set.of(DType.F64, DType.F32, DType.BF16);

  private final Cuda cuda;

  Transfers(Cuda cuda) {
    this.cuda = cuda;
  }

  /** Copies host numbers to the device, converting the format. */
  public void upload(Tensor host, Tensor target) {
    requireSameSize(host, target);
    if (host.dtype() == target.dtype()) {
      send(host, target);
    } else if (host.dtype().isFloating() && !host.dtype().isBlocks() && target.dtype().isFloating()) {
      onDevice(
          host.dtype(),
          target.elements(),
          (first, chunk) -> {
            send(part(host, first, chunk), chunk);
            cast(chunk, part(target, first, chunk));
          });
    } else {
      onHost(
          target,
          (first, chunk) -> {
            chunk.copyFrom(part(host, first, chunk));
            send(chunk, part(target, first, chunk));
          });
    }
  }

  /** Copies host numbers to columns of a wider matrix on the device, by way of a copy there. */
  public void uploadColumns(Tensor host, Tensor target) {
    try (Scope scope = cuda.scratch("columns")) {
      Tensor dense = scope.allocate(target.dtype(), target.shape());
      upload(host, dense);
      long rows = target.shape().rows();
      cuda.kernel("rows_copy_columns", target.dtype())
          .with(dense).with(0).with(dense.stride())
          .with(target).with(0).with(target.stride())
          .with(rows).with(target.dim(-1))
          .run(cuda.warps(rows));
    }
  }

  /** Copies device numbers to the host, converting the format, and waits. */
  public void download(Tensor source, Tensor host) {
    requireSameSize(host, source);
    if (host.dtype() == source.dtype()) {
      receive(source, host);
    } else if (DOWNLOADED.contains(host.dtype()) && source.dtype().isFloating()) {
      onDevice(
          host.dtype(),
          source.elements(),
          (first, chunk) -> {
            cast(part(source, first, chunk), chunk);
            receive(chunk, part(host, first, chunk));
          });
    } else {
      onHost(
          source,
          (first, chunk) -> {
            receive(part(source, first, chunk), chunk);
            part(host, first, chunk).copyFrom(chunk);
          });
    }
  }

  private void send(Tensor host, Tensor target) {
    cuda.device().upload(host.segment(), Cuda.address(target));
  }

  private void receive(Tensor source, Tensor host) {
    cuda.device().download(Cuda.address(source), host.segment());
  }

  private void cast(Tensor from, Tensor to) {
    String name = Text.format("cast_%s_%s", from.dtype(), to.dtype()).toLowerCase(Locale.ROOT);
    cuda.plainKernel(name)
        .with(from).with(to).with(from.elements())
        .run(cuda.elements(from.elements()));
  }

  /** By way of device memory in the host's format. */
  private void onDevice(DType format, long elements, Piece piece) {
    try (Scope scratch = cuda.scratch("transfer")) {
      long most = Math.min(CHUNK_BYTES / format.bytes(), elements);
      inChunks(scratch.allocate(format, most), elements, piece);
    }
  }

  /** By way of host memory in the device's format. */
  private static void onHost(Tensor onDevice, Piece piece) {
    try (Arena arena = Arena.ofConfined()) {
      DType format = onDevice.dtype();
      long most = Math.min(CHUNK_BYTES / format.bytes(), onDevice.elements());
      Tensor staging =
          Tensor.view(arena.allocate(most * format.bytes(), 64), format, Shape.of(most));
      inChunks(staging, onDevice.elements(), piece);
    }
  }

  private static void inChunks(Tensor staging, long elements, Piece piece) {
    long most = staging.elements();
    for (long first = 0; first < elements; first += most) {
      piece.move(first, staging.slice(0, Math.min(most, elements - first)));
    }
  }

  /** As many elements as the chunk has. */
  private static Tensor part(Tensor tensor, long first, Tensor chunk) {
    return tensor.section(first, chunk.shape());
  }

  private static void requireSameSize(Tensor host, Tensor onDevice) {
    if (host.elements() != onDevice.elements()) {
      throw new ArgumentException("cannot copy between " + host + " and " + onDevice);
    }
  }

  /** Moves elements from {@code first} on, as many as the staging chunk has. */
  @FunctionalInterface
  private interface Piece {
    void move(long first, Tensor chunk);
  }
}
