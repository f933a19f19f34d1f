package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Copies between host tensors and device tensors, which converts formats on the way. */
final class Transfers {
  /** Elements converted at a time. */
  private static final long CHUNK = 1 << 20;

  private final Device device;

  Transfers(Device device) {
    this.device = device;
  }

  /** Copies host numbers to the device, converting the format. */
  void upload(Tensor host, Tensor target) {
    requireSameSize(host, target);
    if (host.dtype() == target.dtype()) {
      device.upload(host.segment(), Cuda.address(target));
      return;
    }
    inChunks(
        target,
        (first, chunk) -> {
          chunk.copyFrom(part(host, first, chunk.elements()));
          device.upload(chunk.segment(), Cuda.address(part(target, first, chunk.elements())));
        });
  }

  /** Copies device numbers to the host, converting the format, and waits. */
  void download(Tensor source, Tensor host) {
    requireSameSize(host, source);
    if (host.dtype() == source.dtype()) {
      device.download(Cuda.address(source), host.segment());
      return;
    }
    inChunks(
        source,
        (first, chunk) -> {
          device.download(Cuda.address(part(source, first, chunk.elements())), chunk.segment());
          part(host, first, chunk.elements()).copyFrom(chunk);
        });
  }

  private static void inChunks(Tensor onDevice, Piece piece) {
    try (Arena arena = Arena.ofConfined()) {
      long most = Math.min(CHUNK, onDevice.elements());
      MemorySegment staging = arena.allocate(most * onDevice.dtype().bytes(), 64);
      for (long first = 0; first < onDevice.elements(); first += most) {
        long count = Math.min(most, onDevice.elements() - first);
        MemorySegment bytes = staging.asSlice(0, count * onDevice.dtype().bytes());
        piece.move(first, Tensor.view(bytes, onDevice.dtype(), Shape.of(count)));
      }
    }
  }

  private static Tensor part(Tensor tensor, long first, long count) {
    return tensor.section(first, Shape.of(count));
  }

  private static void requireSameSize(Tensor host, Tensor onDevice) {
    if (host.elements() != onDevice.elements()) {
      throw new IllegalArgumentException("cannot copy between " + host + " and " + onDevice);
    }
  }

  /** Moves elements from {@code first} on, by way of a host tensor in the device's format. */
  @FunctionalInterface
  private interface Piece {
    void move(long first, Tensor chunk);
  }
}
