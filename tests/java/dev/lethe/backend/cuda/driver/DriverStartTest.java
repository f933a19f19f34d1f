package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What is said where the driver is absent or does not start: once for a process, so each in its own. */
class DriverStartTest {
  private static final String LIBRARY_PATH = "LD_LIBRARY_PATH";

  /** Prints how finding a GPU ends. */
  static final class Find {
    private Find() {}

    public static void main(String[] args) {
      try {
        System.out.println(Gpu.find(0));
      } catch (CudaUnavailable e) {
        System.out.println(e.getMessage() + " -> " + e.remedy());
      }
    }
  }

  @Test
  void noDriver() throws IOException {
    String said = find(null);
    assumeFalse(
        said.contains("driver for CUDA"), "this machine has a driver: its absence was NOT tested");
    assertEquals(
        "no NVIDIA driver: libcuda.so.1 is not on this machine -> With an NVIDIA GPU: install the driver,"
            + " 580 or newer; in a container, pass the GPU in (--gpus all).",
        said);
  }

  @Test
  void aDriverThatDoesNotStart() throws IOException {
    FakeDriver.requireBuilt();
    String said = find("devices=1 init=803");
    assertTrue(
        said.startsWith("the driver for CUDA 13.0 does not start: ") && said.contains("(803)"), said);
    assertTrue(said.contains("restart the machine"), said);
  }

  @Test
  void aDriverWithoutAGpu() throws IOException {
    FakeDriver.requireBuilt();
    assertTrue(find("devices=0").startsWith("the driver for CUDA 13.0 sees no GPU"));
  }

  @Test
  void aGpu() throws IOException {
    FakeDriver.requireBuilt();
    assertTrue(find("devices=1").startsWith("Fake GPU (cuda:0"));
  }

  @Test
  void aDriverThatCannotBeLoaded() throws IOException {
    Path folder = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "driver");
    Path library = Files.writeString(folder.resolve("libcuda.so.1"), "not a library");
    try {
      ProcessBuilder process = finding();
      process.environment().put(LIBRARY_PATH, folder.toString());
      String said = said(process);
      assumeFalse(said.contains("not trusted"), "others can write here: a broken driver was NOT tried: " + said);
      assertTrue(said.startsWith("the NVIDIA driver's " + library + " cannot be loaded: "), said);
      assertTrue(said.contains("ldd " + library), said);
    } finally {
      Files.delete(library);
      Files.delete(folder);
    }
  }

  /**
   * The one line that a new process prints.
   *
   * @param driver of the stand-in; null for none on the library path
   */
  private static String find(String driver) throws IOException {
    ProcessBuilder process = finding();
    if (driver == null) {
      process.environment().remove(LIBRARY_PATH);
    } else {
      process.environment().put("LETHE_FAKE_DRIVER", driver);
    }
    return said(process);
  }

  private static ProcessBuilder finding() {
    ProcessBuilder process =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            Find.class.getName());
    return process.redirectError(ProcessBuilder.Redirect.INHERIT);
  }

  private static String said(ProcessBuilder process) throws IOException {
    return new String(process.start().getInputStream().readAllBytes(), StandardCharsets.UTF_8)
        .strip();
  }
}
