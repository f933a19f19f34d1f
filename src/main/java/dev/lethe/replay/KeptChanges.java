package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * The changed rows' gradients of one request, made in the first of several replays and read in the others. They lie
 * in an unnamed file on the disk of temporary files.
 */
final class KeptChanges implements RowGradients {
  private final RowGradients gradients;
  private final Backend backend;
  private final Map<Integer, Tensor> kept = new HashMap<>();
  private final Arena arena = Arena.ofShared();
  private final FileChannel channel;
  private long bytes;

  KeptChanges(RowGradients gradients, Backend backend) {
    this.gradients = gradients;
    this.backend = backend;
    try {
      Path file = Files.createTempFile("lethe-replay", ".bin");
      this.channel =
          FileChannel.open(
              file,
              StandardOpenOption.READ,
              StandardOpenOption.WRITE,
              StandardOpenOption.DELETE_ON_CLOSE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Rows and their weights are the same in every replay. */
  @Override
  public void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out) {
    try (Scope scope = backend.openScope("changed rows")) {
      Tensor change = scope.allocate(backend.vectorType(), 1, theta.elements());
      if (kept.containsKey(step)) {
        backend.upload(kept.get(step), change);
      } else {
        backend.vectors().fill(change, 0);
        gradients.add(step, rows, new double[][] {weights[0]}, theta, change);
        Tensor host = map(change);
        backend.download(change, host);
        kept.put(step, host);
      }
      for (long j = 0; j < out.dim(0); j++) {
        backend.vectors().axpy(1, change.row(0), out.row(j));
      }
    }
  }

  /** Host memory for one more vector like this. */
  Tensor map(Tensor like) {
    long at = bytes;
    bytes += like.byteSize();
    // On another thread: an interrupt of this one would close the file.
    MemorySegment segment = CompletableFuture.supplyAsync(() -> map(at, like.byteSize())).join();
    return Tensor.view(segment, like.dtype(), like.shape());
  }

  private MemorySegment map(long at, long size) {
    try {
      return channel.map(FileChannel.MapMode.READ_WRITE, at, size, arena);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    arena.close();
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
