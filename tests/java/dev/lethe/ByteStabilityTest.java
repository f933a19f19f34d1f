package dev.lethe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cpu.CpuKind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A change of the code's form changes no byte of a result: {@link FixedWork} against the hashes recorded in {@code
 * tests/resources/bytes}. All kinds of the CPU backend give the same bytes, so there is one record of them.
 * A change of numerics that is meant is recorded anew: the message of the failed test holds the new lines.
 */
class ByteStabilityTest {
  @TempDir Path dir;

  @Test
  void reference() throws IOException {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT)) {
      requireRecorded("reference", backend);
    }
  }

  @ParameterizedTest
  @EnumSource
  void cpu(CpuKind kind) throws IOException {
    assumeTrue(kind.missing() == null, () -> "skipped: " + kind + ": " + kind.missing());
    try (Backend backend = kind.open(2)) {
      requireRecorded("cpu", backend);
    }
  }

  private void requireRecorded(String name, Backend backend) throws IOException {
    String file = "/bytes/%s-%s.txt".formatted(name, System.getProperty("os.arch"));
    try (InputStream in = ByteStabilityTest.class.getResourceAsStream(file)) {
      assumeTrue(in != null, () -> "skipped: no bytes were recorded for this processor in " + file);
      List<String> recorded =
          new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
      Map<String, String> hashes = new TreeMap<>(FixedWork.hashes(dir, backend));
      String got =
          hashes.entrySet().stream()
              .map(each -> each.getKey() + " " + each.getValue())
              .collect(Collectors.joining("\n"));
      assertEquals(String.join("\n", recorded), got, "bytes recorded in tests/resources" + file);
    }
  }
}
