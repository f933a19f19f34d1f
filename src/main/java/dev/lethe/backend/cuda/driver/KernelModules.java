package dev.lethe.backend.cuda.driver;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.ArrayList;
import java.util.List;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** The jar's kernels on a device; images are loaded one after another until a kernel is found. */
final class KernelModules {
  /** What every kernel may use without asking. */
  private static final int SHARED_WITHOUT_ASKING = 48 << 10;

  private final JCudaDevice device;
  private final KernelImages images;
  private final List<CUmodule> loaded = new ArrayList<>();

  KernelModules(JCudaDevice device, KernelImages images) {
    this.device = device;
    this.images = images;
  }

  /** Throws EnvironmentException where the device does not take these kernels. */
  void requireUsable() {
    module(0);
  }

  /** The handle of a kernel, allowed all the shared memory that there is. */
  long function(String name) {
    Handles.Function function = find(name);
    int[] fixed = new int[1];
    device.check(
        JCudaDriver.cuFuncGetAttribute(
            fixed, CUfunction_attribute.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, function),
        "asking for the shared memory of " + name);
    int dynamic = device.sharedMemory() - fixed[0];
    if (dynamic > SHARED_WITHOUT_ASKING) {
      device.check(
          JCudaDriver.cuFuncSetAttribute(
              function,
              CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
              dynamic),
          Text.format("allowing %d bytes of shared memory to %s", dynamic, name));
    }
    return function.number();
  }

  private Handles.Function find(String name) {
    Handles.Function function = new Handles.Function();
    for (int i = 0; i < images.count(); i++) {
      int result = JCudaDriver.cuModuleGetFunction(function, module(i), name);
      if (result == Result.SUCCESS) {
        return function;
      }
      if (result != CUresult.CUDA_ERROR_NOT_FOUND) {
        device.check(result, "finding the kernel " + name);
      }
    }
    throw new ArgumentException(
        Text.format("no kernel is called %s in the %d images of the jar", name, images.count()));
  }

  private CUmodule module(int index) {
    while (loaded.size() <= index) {
      try {
        loaded.add(load(loaded.size()));
      } catch (CudaUnavailable e) {
        throw e.error("device " + device.place());
      }
    }
    return loaded.get(index);
  }

  private CUmodule load(int index) {
    CUmodule module = new CUmodule();
    int result = JCudaDriver.cuModuleLoadData(module, images.read(index));
    if (Result.kernelsDoNotFit(result)) {
      throw images.tooOld(device.driverVersion(), Result.name(result));
    }
    device.check(result, "loading the kernels of " + images.name(index));
    return module;
  }

  void close() {
    loaded.forEach(JCudaDriver::cuModuleUnload);
    loaded.clear();
  }
}
