package dev.lethe.backend.cuda.driver;

import dev.lethe.Text;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.JCudaDriver;

/**
 * A GPU that this process sees.
 *
 * @param index among those that CUDA_VISIBLE_DEVICES leaves
 * @param name as its maker calls it
 * @param capability compute capability, 10 major + minor
 * @param memory bytes
 * @param multiprocessors how many
 * @param sharedMemory bytes that a block may use
 * @param driverVersion the CUDA version of the driver, 1000 major + 10 minor
 */
public record Gpu(
    int index,
    String name,
    int capability,
    long memory,
    int multiprocessors,
    int sharedMemory,
    int driverVersion) {
  /** What kernels are compiled for at least. */
  private static final int LEAST_CAPABILITY = 80;

  private static final String CHOICE = "LETHE_CUDA_DEVICE";

  /**
   * The GPU of an index, able to run Lethe's kernels.
   *
   * @param index negative: what the environment variable LETHE_CUDA_DEVICE says, or 0
   * @throws CudaUnavailable where there is none, it is too old, or its driver is
   */
  public static Gpu find(int index) {
    Driver driver = Driver.start();
    Gpu gpu = at(index < 0 ? chosen() : index, driver.version());
    if (gpu.capability < LEAST_CAPABILITY) {
      throw new CudaUnavailable(
          true,
          Text.format(
              "%s is too old: its compute capability is %s and kernels need %s",
              gpu, capabilityText(gpu.capability), capabilityText(LEAST_CAPABILITY)),
          "Use a GPU of the Ampere generation or newer, or --device cpu.");
    }
    KernelImages.ofJar().requireDriver(driver.version());
    return gpu;
  }

  private static int chosen() {
    String value = System.getenv(CHOICE);
    if (value == null || value.isBlank()) {
      return 0;
    }
    try {
      return Integer.parseUnsignedInt(value.strip());
    } catch (NumberFormatException e) {
      throw new CudaUnavailable(
          true,
          CHOICE + " is '" + value + "', not the number of a GPU",
          "Set it to 0 for the first GPU that nvidia-smi lists, or unset it.");
    }
  }

  /**
   * How many GPUs this process sees, at least one.
   *
   * @throws CudaUnavailable where there is none
   */
  public static int count() {
    int[] count = new int[1];
    int version = Driver.start().version();
    int result = JCudaDriver.cuDeviceGetCount(count);
    if (result == Result.NO_DEVICE || result == Result.SUCCESS && count[0] == 0) {
      throw Driver.noDevice(version);
    }
    require(result, "counting GPUs");
    return count[0];
  }

  private static Gpu at(int index, int driverVersion) {
    int count = count();
    if (index >= count) {
      throw new CudaUnavailable(
          true,
          Text.format("there is no GPU %d: the driver shows %d", index, count),
          "Choose one of 0 to " + (count - 1) + "; the first is 0.");
    }
    CUdevice device = device(index);
    byte[] name = new byte[256];
    require(JCudaDriver.cuDeviceGetName(name, name.length, device), "naming a GPU");
    long[] memory = new long[1];
    require(JCudaDriver.cuDeviceTotalMem(memory, device), "measuring a GPU's memory");
    return new Gpu(
        index,
        text(name),
        10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        memory[0],
        attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        driverVersion);
  }

  static CUdevice device(int index) {
    CUdevice device = new CUdevice();
    require(JCudaDriver.cuDeviceGet(device, index), "finding GPU " + index);
    return device;
  }

  private static int attribute(CUdevice device, int which) {
    int[] value = new int[1];
    require(JCudaDriver.cuDeviceGetAttribute(value, which, device), "asking a GPU's attributes");
    return value[0];
  }

  private static void require(int result, String what) {
    if (result != Result.SUCCESS) {
      throw new CudaUnavailable(
          true,
          what + " failed: " + Result.name(result),
          "See whether nvidia-smi works; if not, the driver needs repair or the machine a restart.");
    }
  }

  private static String text(byte[] zeroTerminated) {
    String text = new String(zeroTerminated, java.nio.charset.StandardCharsets.UTF_8);
    return text.substring(0, text.indexOf('\0'));
  }

  private static String capabilityText(int capability) {
    return capability / 10 + "." + capability % 10;
  }

  /** As in {@code NVIDIA H200 (cuda:0, compute capability 9.0, 141 GB, driver for CUDA 13.0)}. */
  @Override
  public String toString() {
    return Text.format(
        "%s (%s, compute capability %s, %.0f GB, driver for CUDA %s)",
        name, place(), capabilityText(capability), memory / 1e9, Driver.versionText(driverVersion));
  }

  /** As in {@code cuda:0}. */
  String place() {
    return "cuda:" + index;
  }
}
