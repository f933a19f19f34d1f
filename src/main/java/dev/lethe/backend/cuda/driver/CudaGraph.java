package dev.lethe.backend.cuda.driver;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/** What a stream captured, ready to be launched. */
final class CudaGraph implements Device.Graph {
  private final JCudaDevice device;
  private final CUgraphExec executable = new CUgraphExec();
  private boolean open;

  CudaGraph(JCudaDevice device) {
    this.device = device;
  }

  void begin() {
    device.check(
        JCudaDriver.cuStreamBeginCapture(
            device.cuStream(), CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
        "beginning to record");
  }

  void end() {
    CUgraph graph = new CUgraph();
    device.check(JCudaDriver.cuStreamEndCapture(device.cuStream(), graph), "ending a recording");
    int result = JCudaDriver.cuGraphInstantiate(executable, graph, 0);
    JCudaDriver.cuGraphDestroy(graph);
    device.check(result, "making a graph of a recording");
    open = true;
  }

  /** Ends a recording that went wrong; what was recorded never ran. */
  void discard() {
    CUgraph graph = new CUgraph();
    if (JCudaDriver.cuStreamEndCapture(device.cuStream(), graph) == Result.SUCCESS) {
      JCudaDriver.cuGraphDestroy(graph);
    }
  }

  @Override
  public void launch() {
    if (!open) {
      throw new IllegalStateException("a graph was launched after it was closed");
    }
    device.enter();
    device.check(JCudaDriver.cuGraphLaunch(executable, device.cuStream()), "launching a graph");
  }

  @Override
  public void close() {
    if (open) {
      open = false;
      device.destroy(executable);
    }
  }
}
