package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cuda.driver.CudaUnavailable;
import dev.lethe.backend.cuda.driver.Gpu;
import dev.lethe.backend.cuda.driver.JCudaDevice;
import dev.lethe.tensor.DType;

/** Offers the CUDA backend, in bfloat16 or float32, where there is an NVIDIA GPU that runs its kernels. */
public final class CudaProvider implements BackendProvider {
  @Override
  public String name() {
    return CudaBackend.NAME;
  }

  @Override
  public int priority() {
    return 10;
  }

  @Override
  public Availability availability(BackendOptions options) {
    try {
      Gpu gpu = Gpu.find(options.device());
      return Availability.working("bfloat16 or float32, " + gpu, null);
    } catch (CudaUnavailable e) {
      return new Availability(false, e.gpuPresent(), e.getMessage(), e.remedy());
    }
  }

  @Override
  public Backend open(BackendOptions options) {
    DType type = options.type() == null ? DType.BF16 : options.type();
    if (type != DType.BF16 && type != DType.F32) {
      throw new EnvironmentException(
          "device cuda",
          "does not compute in " + type,
          "Leave --dtype away, or choose bf16 or f32; f64 is the format of --device reference.");
    }
    try {
      return new CudaBackend(
          new Cuda(JCudaDevice.open(Gpu.find(options.device())), type, TiledProducts::new));
    } catch (CudaUnavailable e) {
      throw e.error("device cuda");
    }
  }
}
