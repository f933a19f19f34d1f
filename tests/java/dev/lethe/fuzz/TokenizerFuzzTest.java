package dev.lethe.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.tokenizer.HfTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tokenizers, in a process of their own: a library in native code may end it. */
class TokenizerFuzzTest {
  private static final Path SEED = Path.of("tests", "resources", "tiny_tokenizer");

  @TempDir private Path dir;

  @Test
  void tokenizers() throws IOException, InterruptedException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process process =
        new ProcessBuilder(
                java, "--enable-native-access=ALL-UNNAMED", "-Xmx1g", "-Dlethe.fuzz.rounds=" + Fuzz.ROUNDS,
                "-cp", System.getProperty("java.class.path"), Rounds.class.getName(), dir.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said.substring(Math.max(0, said.length() - 4000)));
  }

  /** The process: it says each round before it begins. */
  static final class Rounds {
    private Rounds() {}

    public static void main(String[] args) throws IOException {
      Path folder = Path.of(args[0]);
      try (var files = Files.list(SEED)) {
        for (Path file : files.toList()) {
          Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        }
      }
      Path main = folder.resolve("tokenizer.json");
      List<byte[]> seeds = List.of(Files.readAllBytes(main));
      for (int round = 0; round < Fuzz.ROUNDS; round++) {
        System.out.println("round " + round);
        Files.write(main, Fuzz.mutated(seeds, round));
        Fuzz.refused(
            main,
            file -> {
              try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
                tokenizer.decode(tokenizer.encode("Où é 12", true));
              }
            },
            "round " + round);
      }
    }
  }
}
