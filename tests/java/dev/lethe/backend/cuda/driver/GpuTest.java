package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What is said of GPUs that cannot be used. */
class GpuTest {
  @Test
  void noGpu() {
    try (FakeDriver driver = FakeDriver.open("devices=1")) {
      Gpu.find(0);
      driver.configure("devices=0");
      CudaUnavailable e = unavailable(0);
      assertTrue(e.getMessage().startsWith("the driver for CUDA 13.0 sees no GPU"), e.getMessage());
      assertTrue(e.remedy().contains("nvidia-smi"), e.remedy());
      assertEquals(false, e.gpuPresent());
    }
  }

  @Test
  void noSuchGpu() {
    try (FakeDriver driver = FakeDriver.open("devices=2")) {
      assertEquals("cuda:1", Gpu.find(1).place());
      CudaUnavailable e = unavailable(2);
      assertEquals("there is no GPU 2: the driver shows 2", e.getMessage());
    }
  }

  @Test
  void aGpuThatIsTooOld() {
    try (FakeDriver driver = FakeDriver.open("devices=1 capability=75")) {
      CudaUnavailable e = unavailable(0);
      assertTrue(e.getMessage().startsWith("Fake GPU "), e.getMessage());
      assertTrue(
          e.getMessage().endsWith("is too old: its compute capability is 7.5 and kernels need 8.0"),
          e.getMessage());
      assertTrue(e.gpuPresent());
    }
  }

  @Test
  void aDriverOlderThanTheCompilerOfTheKernels() {
    KernelImages images = images("nvcc release 13.0, V13.0.88", "x");
    images.requireDriver(13_000);
    images.requireDriver(13_010);
    CudaUnavailable e =
        assertThrows(CudaUnavailable.class, () -> images.requireDriver(12_080));
    assertEquals(
        "the driver for CUDA 12.8 does not run kernels compiled by nvcc release 13.0, V13.0.88",
        e.getMessage());
    assertTrue(e.remedy().contains("580"), e.remedy());
  }

  @Test
  void aDriverThatRefusesTheKernels() {
    for (int code : new int[] {209, 222, 200}) {
      try (FakeDriver driver = FakeDriver.open("devices=1 cuModuleLoadData=1:" + code)) {
        Gpu gpu = Gpu.find(0);
        EnvironmentException e =
            assertThrows(EnvironmentException.class, () -> JCudaDevice.open(gpu));
        assertTrue(e.getMessage().contains("(" + code + ")"), e.getMessage());
        assertTrue(e.getMessage().contains("Update the NVIDIA driver"), e.getMessage());
        assertEquals(0, driver.memoryInUse());
      }
    }
  }

  @Test
  void aGpuThatSomebodyElseHoldsAlone() {
    try (FakeDriver driver = FakeDriver.open("devices=1 cuDevicePrimaryCtxRetain=1:46")) {
      Gpu gpu = Gpu.find(0);
      EnvironmentException e =
          assertThrows(EnvironmentException.class, () -> JCudaDevice.open(gpu));
      assertTrue(e.getMessage().contains("opening the GPU failed"), e.getMessage());
    }
  }

  @Test
  void aBuildWithoutKernels() {
    CudaUnavailable e =
        assertThrows(CudaUnavailable.class, () -> new KernelImages(name -> null));
    assertTrue(e.getMessage().contains("holds no GPU kernels"), e.getMessage());
    assertTrue(e.remedy().contains("nvcc"), e.remedy());
  }

  @Test
  void damagedKernels() {
    CudaUnavailable e =
        assertThrows(
            CudaUnavailable.class, () -> images("nvcc release 13.0", "tampered").read(0));
    assertTrue(e.getMessage().contains("x.fatbin are damaged"), e.getMessage());
    assertEquals(1, images("nvcc release 13.0", "x").read(0).length);
  }

  private static CudaUnavailable unavailable(int index) {
    return assertThrows(CudaUnavailable.class, () -> Gpu.find(index));
  }

  /** One image, whose hash in the manifest is that of "x". */
  private static KernelImages images(String compiler, String content) {
    String manifest =
        """
        {"compiler": "%s", "targets": [], "fatbins": [{"file": "x.fatbin", "sha256":
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}]}
        """
            .formatted(compiler);
    return new KernelImages(
        name ->
            new ByteArrayInputStream(
                (name.endsWith("json") ? manifest : content).getBytes(StandardCharsets.UTF_8)));
  }
}
