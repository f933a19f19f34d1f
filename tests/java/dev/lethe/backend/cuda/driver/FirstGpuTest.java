package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * native/first-gpu/run.sh in the layout of the bundle, as far as it goes without a GPU: its harness on the stand-in for
 * the driver, its verdicts on a program that stands for lethe.
 */
class FirstGpuTest {
  private static final Path SCRIPTS = Path.of("native/first-gpu");
  private static final Path HARNESS =
      FakeDriver.FOLDER.resolveSibling("first-gpu").resolve("first-gpu-kernels");
  private static final String DOCTOR =
      """
      #!/bin/sh
      case $1 in
        doctor) echo 'ok  backend cuda       bfloat16, GPU (compute capability 9.0)'; echo '%s' ;;
        selftest) echo '{"passed":false}'; echo 'three kernels are wrong' >&2; exit 1 ;;
        bench)
          t=${11}
          case $LETHE_JAVA_OPTS in *-Dlethe.cuda.wgmma=true*) t=08 ;; esac
          echo '{"op":"grad","median_s":0.'$t'}'
          ;;
      esac
      """;

  @TempDir private Path dir;

  @BeforeEach
  void install() throws IOException {
    assumeTrue(Files.isExecutable(Path.of("/bin/bash")), "skipped: no bash");
    Files.createDirectories(dir.resolve("app"));
    Files.createDirectories(dir.resolve("bin"));
    Files.createDirectories(dir.resolve("first-gpu/fatbins"));
    try (Stream<Path> files = Files.list(SCRIPTS)) {
      for (Path file : files.toList()) {
        Path copy = Files.copy(file, dir.resolve("first-gpu").resolve(file.getFileName()));
        copy.toFile().setExecutable(true);
      }
    }
  }

  @Test
  void everyStageHasItsVerdict() throws IOException, InterruptedException {
    lethe("ok  matrix products    cuBLASLt 13.1.1");
    assertEquals(1, run("--tiny"));
    String verdicts = verdicts();
    assertTrue(verdicts.contains("PASS      products           cuBLASLt 13.1.1"), verdicts);
    assertTrue(verdicts.contains("NOT RUN   kernels"), verdicts);
    assertTrue(verdicts.contains("NOT RUN   warpgroups"), verdicts);
    assertTrue(verdicts.contains("NOT RUN   bench-warpgroups"), verdicts);
    assertTrue(verdicts.contains("FAIL      selftest           exit code 1: three kernels are wrong"), verdicts);
    assertTrue(verdicts.contains("PASS      bench-deep"), verdicts);
    String extrapolated = Files.readString(dir.resolve("results/extrapolation.txt"));
    assertEquals("grad: a layer takes 100.000 ms, 16 layers by that 1600.0 ms\n", extrapolated);
  }

  @Test
  void withoutCublasItStopsAndSaysWhatToDo() throws IOException, InterruptedException {
    lethe("!   matrix products    Lethe''s own kernels".replace("''", "'\\''"));
    assertEquals(1, run("--tiny"));
    String verdicts = verdicts();
    assertTrue(verdicts.contains("FAIL      products") && verdicts.contains("-Dlethe.cublas=FOLDER"), verdicts);
    assertFalse(verdicts.contains("selftest"), verdicts);
  }

  @Test
  void theHarnessFindsTheKernelsRight() throws IOException, InterruptedException {
    FakeDriver.requireBuilt();
    assumeTrue(Files.exists(HARNESS), () -> HARNESS + " was not built: the harness was NOT tried");
    lethe("ok  matrix products    cuBLASLt 13.1.1");
    Files.copy(HARNESS, dir.resolve("first-gpu/first-gpu-kernels"));
    dir.resolve("first-gpu/first-gpu-kernels").toFile().setExecutable(true);
    for (String file :
        List.of(
            "attention_forward", "attention_tangent", "attention_query_gradient", "attention_key_gradient",
            "attention_plain", "cross_entropy", "rms_norm", "attention_forward_wgmma", "attention_tangent_wgmma",
            "attention_query_gradient_wgmma", "attention_key_gradient_wgmma")) {
      Files.writeString(dir.resolve("first-gpu/fatbins").resolve(file + ".fatbin"), "*");
    }
    int code = run("--tiny", "--only", "kernels,warpgroups,bench-flat,bench-warpgroups");
    String said = Files.readString(dir.resolve("results/kernels.txt"));
    assertEquals(0, code, said);
    assertEquals(8, said.lines().filter(line -> line.contains(" ok ")).count(), said);
    String ofWarpgroups = Files.readString(dir.resolve("results/warpgroups.txt"));
    long right = ofWarpgroups.lines().filter(line -> line.contains("_wgmma") && line.contains(" ok ")).count();
    assertEquals(6, right, ofWarpgroups);
    String turnedOn =
        "PASS      wgmma              right here; grad 1.25 times as fast; turn them on with"
            + " LETHE_JAVA_OPTS=-Dlethe.cuda.wgmma=true";
    assertTrue(verdicts().contains(turnedOn), verdicts());
  }

  private void lethe(String products) throws IOException {
    Path program = dir.resolve("bin/lethe");
    Files.writeString(program, DOCTOR.replace("%s", products));
    program.toFile().setExecutable(true);
  }

  private int run(String... options) throws IOException, InterruptedException {
    Path script = dir.resolve("first-gpu/run.sh");
    List<String> command =
        Stream.of(Stream.of(script.toString()), Stream.of(options), Stream.of(dir.resolve("results").toString()))
            .flatMap(each -> each)
            .toList();
    ProcessBuilder builder = new ProcessBuilder(command).directory(dir.toFile());
    builder.redirectErrorStream(true).redirectOutput(dir.resolve("said.txt").toFile());
    builder
        .environment()
        .putAll(Map.of("PYTHON", "no-python", "LETHE_FAKE_DRIVER", "devices=1 memory=8000000000 shared=200000"));
    return builder.start().waitFor();
  }

  private String verdicts() throws IOException {
    return Files.readString(dir.resolve("results/verdicts.txt"));
  }
}
