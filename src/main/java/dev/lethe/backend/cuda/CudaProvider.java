package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.TimedBackend;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.blas.ProductsLadder;
import dev.lethe.backend.cuda.blas.Refusal;
import dev.lethe.backend.cuda.driver.CudaUnavailable;
import dev.lethe.backend.cuda.driver.Gpu;
import dev.lethe.backend.cuda.driver.JCudaDevice;
import dev.lethe.backend.cuda.driver.TimedDevice;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.gemm.TimedProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.DType;
import java.util.List;
import java.util.stream.Collectors;

/** Offers the CUDA backend, in bfloat16 or float32, where there is an NVIDIA GPU that runs its kernels. */
public final class CudaProvider implements BackendProvider {
  private static final String PRODUCTS = "matrix products";
  private static final String REMEDY =
      "Install cuBLAS of CUDA 13 or 12 (a toolkit, or Python's nvidia-cublas), or say where it is:"
          + " -Dlethe.cublas=FOLDER.";

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
          "Omit --dtype, or choose bf16 or f32; f64 is the format of --device reference.");
    }
    try {
      return open(JCudaDevice.open(Gpu.find(options.device())), type, options.timed());
    } catch (CudaUnavailable e) {
      throw e.error("device cuda");
    }
  }

  @Override
  public int devices() {
    try {
      return Gpu.count();
    } catch (CudaUnavailable e) {
      throw e.error("device cuda");
    }
  }

  @Override
  public boolean timesItself() {
    return true;
  }

  private static Backend open(JCudaDevice device, DType type, boolean timed) {
    try {
      if (timed) {
        TimedDevice clock = new TimedDevice(device);
        return TimedBackend.of(
            new CudaBackend(
                new Cuda(clock, type, cuda -> new TimedProducts(products(device, cuda), clock))),
            clock);
      }
      return new CudaBackend(new Cuda(device, type, cuda -> products(device, cuda)));
    } catch (RuntimeException | Error e) {
      device.close();
      throw e;
    }
  }

  private static Products products(JCudaDevice device, Cuda cuda) {
    return ProductsLadder.open(device, new TiledProducts(cuda)).best();
  }

  @Override
  public List<Part> parts() {
    try {
      return List.of(products(ProductsLadder.explain()));
    } catch (EnvironmentException e) {
      return List.of(new Part(PRODUCTS, e.getMessage(), "See above."));
    }
  }

  private static Part products(ProductsLadder.Choice<String> choice) {
    String others =
        choice.refusals().stream().map(Refusal::toString).collect(Collectors.joining("; "));
    return others.isEmpty()
        ? new Part(PRODUCTS, choice.best(), null)
        : new Part(PRODUCTS, choice.best() + "; better ones are not taken: " + others, REMEDY);
  }
}
