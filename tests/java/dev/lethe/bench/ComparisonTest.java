package dev.lethe.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.format.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files of results beside each other: the fastest way of each, and clear words for files that are none. */
class ComparisonTest {
  @TempDir Path folder;

  private static String line(String peer, String op, String way, double seconds) {
    return """
        {"peer":"%s","workload":"micro","device":"cpu","dtype":"fp32","batch":4,"seq":32,"op":"%s","way":"%s","median_s":%s}"""
        .formatted(peer, op, way, seconds);
  }

  private Path file(String name, String... lines) throws IOException {
    return Files.write(folder.resolve(name), List.of(lines));
  }

  @Test
  void theFastestWayOfEachCounts() throws IOException {
    Path ours =
        file("ours", line("lethe", "grad", "backward", 1), "", line("lethe", "hvp", "r", 3));
    Path theirs =
        file(
            "theirs",
            line("torch", "hvp", "slow", 9),
            line("torch", "hvp", "fast", 6),
            line("torch", "ggn", "jvp", 1),
            "{\"op\":\"hvp\",\"way\":\"none\",\"error\":\"not supported\"}");
    Comparison comparison = Comparison.of(ours, theirs);
    assertEquals(1, comparison.pairs().size(), "grad and ggn have no partner");
    assertEquals(0.5, comparison.pairs().getFirst().ratio());
    assertTrue(comparison.table(Map.of()).contains("fast"), comparison.table(Map.of()));
    assertTrue(comparison.table(Map.of("hvp", 0.6)).contains("0.60 met"));
    assertTrue(comparison.table(Map.of("hvp", 0.4)).contains("0.40 missed"));
    assertTrue(comparison.chart().draw().document().contains("(0.50)"));
  }

  @Test
  void otherShapesAreNotCompared() throws IOException {
    Path ours = file("ours", line("lethe", "grad", "backward", 1));
    Path theirs = file("theirs", line("torch", "grad", "autograd", 1).replace("32,", "64,"));
    LetheException refused =
        assertThrows(LetheException.class, () -> Comparison.of(ours, theirs));
    assertTrue(refused.getMessage().contains("micro 4x64 grad"), refused.getMessage());
  }

  @Test
  void wrongLinesAreNamed() throws IOException {
    Path good = file("good", line("lethe", "grad", "backward", 1));
    Path cut = file("cut", line("lethe", "grad", "backward", 1), "{\"peer\":\"torch");
    Path text = file("text", line("lethe", "grad", "b", 1).replace(":1.0}", ":\"1\"}"));
    String endless = "218446744073709551616";
    Path count = file("count", line("lethe", "grad", "b", 1).replaceFirst("\"batch\":[0-9]+", "\"batch\":" + endless));
    Path empty = file("empty", "");
    assertTrue(refusal(good, cut).contains("cut:2"));
    assertTrue(refusal(good, text).contains("median_s"));
    assertTrue(refusal(good, count).contains("batch"));
    assertTrue(refusal(good, empty).contains("results of a benchmark"));
    assertTrue(refusal(good, folder.resolve("absent")).contains("there is no such file"));
  }

  private static String refusal(Path first, Path second) {
    return assertThrows(FormatException.class, () -> Comparison.of(first, second)).getMessage();
  }
}
