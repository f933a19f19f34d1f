package dev.lethe.backend.cuda.driver;

import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/**
 * A GPU by the driver API: its primary context, one stream, the kernels of the jar.
 *
 * <p>Calls run on the caller's thread; a thread of its own would cost microseconds a launch to hand over.
 * CUDA knows the current context by thread, so each call makes it current where the thread called another
 * device last, and always on virtual threads, which change theirs. Other users of CUDA in the process must leave their
 * contexts as they found them.
 */
public final class JCudaDevice implements Device {
  private static final String SYNCHRONOUS = "CUDA_LAUNCH_BLOCKING";
  private static final String WARPGROUPS = "lethe.cuda.wgmma";
  private static final int HOPPER = 90;
  private static final ThreadLocal<JCudaDevice> CURRENT = new ThreadLocal<>();

  private final Gpu gpu;
  private final boolean warpgroups;
  private final CUdevice cuDevice;
  private final Launcher launcher;
  private final boolean synchronous = "1".equals(System.getenv(SYNCHRONOUS));
  private final CUcontext context = new CUcontext();
  private final Handles.Stream stream = new Handles.Stream();
  private final KernelModules modules;
  private final Staging staging = new Staging(this);
  private final Map<Long, String> kernelNames = new HashMap<>();
  private long lastKernel;
  private boolean recording;
  private String lost;
  private boolean closed;

  private JCudaDevice(Gpu gpu, KernelImages images, boolean warpgroups) {
    this.gpu = gpu;
    this.warpgroups = warpgroups;
    this.cuDevice = Gpu.device(gpu.index());
    this.launcher = Driver.start().launcher();
    this.modules = new KernelModules(this, images);
    check(JCudaDriver.cuDevicePrimaryCtxRetain(context, cuDevice), "opening the GPU");
    boolean streamMade = false; // JCuda leaves any number in a handle that could not be made.
    try {
      enter();
      check(
          JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
          "making a stream");
      streamMade = true;
      modules.requireUsable();
    } catch (RuntimeException | Error e) {
      modules.close();
      if (streamMade) {
        JCudaDriver.cuStreamDestroy(stream);
      }
      JCudaDriver.cuDevicePrimaryCtxRelease(cuDevice);
      throw e;
    }
  }

  /**
   * Opens a GPU.
   *
   * @throws EnvironmentException where it refuses, or is asked for warpgroups and has none
   */
  public static JCudaDevice open(Gpu gpu) {
    boolean warpgroups = Boolean.getBoolean(WARPGROUPS);
    if (warpgroups && gpu.capability() != HOPPER) {
      throw new EnvironmentException(
          "device " + gpu.place(),
          "-D" + WARPGROUPS + "=true asks for kernels of compute capability 9.0, and this is " + gpu,
          "Leave -D" + WARPGROUPS + " out: other GPUs have kernels of their own.");
    }
    return new JCudaDevice(gpu, KernelImages.ofJar(), warpgroups);
  }

  @Override
  public String place() {
    return gpu.place();
  }

  @Override
  public String description() {
    return gpu.toString();
  }

  @Override
  public int multiprocessors() {
    return gpu.multiprocessors();
  }

  @Override
  public boolean warpgroups() {
    return warpgroups;
  }

  @Override
  public long stream() {
    return stream.number();
  }

  @Override
  public int sharedMemory() {
    return gpu.sharedMemory();
  }

  int driverVersion() {
    return gpu.driverVersion();
  }

  /** The stream as JCuda's libraries take it. */
  public CUstream cuStream() {
    return stream;
  }

  @Override
  public long allocate(long bytes) {
    enter();
    refuseWhileRecording("allocates device memory");
    Handles.DeviceMemory memory = new Handles.DeviceMemory();
    int result = JCudaDriver.cuMemAlloc(memory, bytes);
    if (result == Result.OUT_OF_MEMORY) {
      throw new OutOfMemoryError(
          Text.format(
              "%s has %,d MiB of %,d MiB left and %,d MiB more were wanted",
              gpu.name(), freeBytes() >> 20, gpu.memory() >> 20, (bytes >> 20) + 1));
    }
    check(result, "allocating device memory");
    return memory.address();
  }

  @Override
  public void free(long address) {
    if (lost == null) {
      enter();
      refuseWhileRecording("frees device memory");
      check(JCudaDriver.cuMemFree(new Handles.DeviceMemory(address)), "freeing device memory");
    }
  }

  @Override
  public long freeBytes() {
    enter();
    long[] free = new long[1];
    check(JCudaDriver.cuMemGetInfo(free, new long[1]), "asking for free memory");
    return free[0];
  }

  @Override
  public void upload(MemorySegment host, long address) {
    enter();
    refuseWhileRecording("uploads from the host");
    staging.upload(host, address);
  }

  @Override
  public void download(long address, MemorySegment host) {
    enter();
    refuseWhileRecording("downloads to the host");
    staging.download(address, host);
  }

  @Override
  public void copy(long source, long target, long bytes) {
    enter();
    check(
        JCudaDriver.cuMemcpyDtoDAsync(
            new Handles.DeviceMemory(target), new Handles.DeviceMemory(source), bytes, stream),
        "copying on the device");
  }

  @Override
  public void fill(long address, byte value, long bytes) {
    enter();
    check(
        JCudaDriver.cuMemsetD8Async(new Handles.DeviceMemory(address), value, bytes, stream),
        "filling device memory");
  }

  @Override
  public long kernel(String name) {
    enter();
    long handle = modules.function(name);
    kernelNames.put(handle, name);
    return handle;
  }

  @Override
  public void launch(long kernel, Grid grid, MemorySegment parameters) {
    enter();
    lastKernel = kernel;
    int result = launcher.launch(kernel, grid, stream.number(), parameters.address());
    Reference.reachabilityFence(parameters);
    if (result != Result.SUCCESS) {
      check(result, Text.format("launching %s with %s", kernelNames.get(kernel), grid));
    }
    if (synchronous && !recording) {
      synchronize();
    }
  }

  @Override
  public void synchronize() {
    enter();
    refuseWhileRecording("waits for the device");
    check(JCudaDriver.cuStreamSynchronize(stream), "waiting for the device");
    staging.allRead();
  }

  @Override
  public boolean canRecord() {
    return true;
  }

  @Override
  public boolean recording() {
    return recording;
  }

  @Override
  public Graph record(Runnable work) {
    enter();
    refuseWhileRecording("records within a recording");
    CudaGraph graph = new CudaGraph(this);
    graph.begin();
    recording = true;
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      graph.discard();
      throw e;
    } finally {
      recording = false;
    }
    graph.end();
    return graph;
  }

  @Override
  public Mark newMark() {
    enter();
    return new EventMark(this);
  }

  void destroy(CUgraphExec graph) {
    if (lost == null && !closed) {
      enter();
      JCudaDriver.cuGraphExecDestroy(graph);
    }
  }

  /** Makes this device's context the thread's. */
  @Override
  public void enter() {
    if (lost != null) {
      throw failure(lost);
    }
    if (closed) {
      throw new IllegalStateException(place() + " is closed");
    }
    if (CURRENT.get() != this || Thread.currentThread().isVirtual()) {
      check(JCudaDriver.cuCtxSetCurrent(context), "making the GPU's context current");
      CURRENT.set(this);
    }
  }

  private void refuseWhileRecording(String what) {
    if (recording) {
      throw new RecordingRefused("the work " + what + ", which a recording cannot hold");
    }
  }

  /** Throws where a call of the driver failed. */
  void check(int result, String what) {
    if (result == Result.SUCCESS) {
      return;
    }
    String problem = what + " failed: " + Result.name(result);
    if (Result.breaksRecording(result)) {
      throw new RecordingRefused(problem);
    }
    if (!Result.contextIsLost(result)) {
      throw new EnvironmentException(
          "device " + place(),
          problem,
          "See whether nvidia-smi works and other programs use the GPU; lethe doctor says more.");
    }
    lost = problem + lastLaunch();
    throw failure(lost);
  }

  private String lastLaunch() {
    if (lastKernel == 0) {
      return "";
    }
    String name = kernelNames.get(lastKernel);
    return synchronous
        ? "; the kernel is " + name
        : Text.format(
            "; the last kernel queued was %s, the failing one may be an earlier one (%s=1 names it)",
            name, SYNCHRONOUS);
  }

  private EnvironmentException failure(String problem) {
    return new EnvironmentException(
        "device " + place(),
        problem,
        "The GPU takes no more work from this process; start it again. Files already written are whole,"
            + " and train and unlearn go on with --resume.");
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    if (lost == null) {
      enter();
      JCudaDriver.cuStreamSynchronize(stream);
      staging.close();
      modules.close();
      JCudaDriver.cuStreamDestroy(stream);
    }
    closed = true;
    CURRENT.remove();
    JCudaDriver.cuDevicePrimaryCtxRelease(cuDevice);
  }
}
