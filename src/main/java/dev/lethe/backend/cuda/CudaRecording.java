package dev.lethe.backend.cuda;

import dev.lethe.backend.KernelRecording;
import dev.lethe.backend.Turn;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.CudaAllocator;

/**
 * Repeated work as a CUDA graph. The first replay runs the work, which reserves all memory that it needs and
 * lets matrix products choose their algorithms; the second records it; all later ones launch the graph. Work
 * that cannot be recorded, because it waits for the device, runs at every replay.
 */
final class CudaRecording implements KernelRecording {
  private static final System.Logger LOG = System.getLogger(CudaRecording.class.getName());

  private final Device device;
  private final CudaAllocator allocator;
  private final Turn turn;
  private final String name;
  private final Runnable work;
  private State state;
  private Device.Graph graph;

  private enum State {
    NEW,
    WARM,
    RECORDED,
    NOT_RECORDABLE,
    CLOSED
  }

  CudaRecording(Cuda cuda, String name, Runnable work) {
    this.device = cuda.device();
    this.allocator = cuda.allocator();
    this.turn = cuda.turn();
    this.name = name;
    this.work = work;
    this.state = device.canRecord() ? State.NEW : State.NOT_RECORDABLE;
    inTurn(allocator::openRecording);
  }

  @Override
  public void replay() {
    inTurn(this::next);
  }

  private void next() {
    switch (state) {
      case NEW -> {
        allocator.allocateForRecordings(work);
        state = State.WARM;
      }
      case WARM -> {
        record();
        next();
      }
      case RECORDED -> graph.launch();
      case NOT_RECORDABLE -> work.run();
      case CLOSED -> throw new IllegalStateException("recording '" + name + "' is closed");
    }
  }

  @Override
  public boolean recorded() {
    return state == State.RECORDED;
  }

  private void record() {
    try {
      allocator.allocateForRecordings(() -> graph = device.record(work));
      state = State.RECORDED;
    } catch (Device.RecordingRefused e) {
      LOG.log(
          System.Logger.Level.INFO,
          "{0} runs without a CUDA graph, a little slower: {1}",
          name,
          e.getMessage());
      state = State.NOT_RECORDABLE;
    }
  }

  @Override
  public void close() {
    if (turn.lifetime().isOpen()) {
      inTurn(this::giveBack);
    }
  }

  private void giveBack() {
    if (state == State.CLOSED) {
      return;
    }
    state = State.CLOSED;
    if (graph != null) {
      graph.close();
    }
    allocator.closeRecording();
  }

  private void inTurn(Runnable action) {
    try (Turn.Taken mine = turn.take()) {
      action.run();
    }
  }
}
