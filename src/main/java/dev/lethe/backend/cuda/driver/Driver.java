package dev.lethe.backend.cuda.driver;

import dev.lethe.Text;
import java.lang.foreign.SymbolLookup;
import java.util.Optional;
import jcuda.driver.JCudaDriver;

/** The NVIDIA driver, loaded and initialised once for the process. */
final class Driver {
  private static Driver started;

  private final Launcher launcher;
  private final int version;

  private Driver(Launcher launcher, int version) {
    this.launcher = launcher;
    this.version = version;
  }

  /** Throws {@link CudaUnavailable} where there is none, or it does not start. */
  static synchronized Driver start() {
    if (started == null) {
      SymbolLookup symbols = DriverLibrary.load();
      JCudaLibraries.initialize(JCudaDriver.class, "JCudaDriver");
      int result = JCudaDriver.cuInit(0);
      int[] version = new int[1];
      JCudaDriver.cuDriverGetVersion(version);
      if (result != Result.SUCCESS) {
        throw doesNotStart(result, version[0]);
      }
      started = new Driver(new Launcher(symbols), version[0]);
    }
    return started;
  }

  /** The CUDA version that it supports, 1000 major + 10 minor. */
  int version() {
    return version;
  }

  Launcher launcher() {
    return launcher;
  }

  /** As in {@code 13.0}. */
  static String versionText(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  private static CudaUnavailable doesNotStart(int result, int version) {
    if (result == Result.NO_DEVICE) {
      return noDevice(version);
    }
    return new CudaUnavailable(
        true,
        Text.format("the driver for CUDA %s does not start: %s", versionText(version), Result.name(result)),
        "See what nvidia-smi says; after a driver update, restart the machine or the container.");
  }

  /** The driver is there and shows no GPU. */
  static CudaUnavailable noDevice(int version) {
    String hidden =
        Optional.ofNullable(System.getenv("CUDA_VISIBLE_DEVICES"))
            .map(value -> ", CUDA_VISIBLE_DEVICES is '" + value + "'")
            .orElse("");
    return new CudaUnavailable(
        false,
        Text.format("the driver for CUDA %s sees no GPU%s", versionText(version), hidden),
        "See what nvidia-smi lists; CUDA_VISIBLE_DEVICES hides GPUs, and a container must be given them.");
  }
}
