package dev.lethe.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.format.StrictJson;
import dev.lethe.tokenizer.HfTokenizer;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Tokenizers of all kinds, mutated, in a process of its own: the library's native code ends a process that it fails in.
 * Aborts are counted, and there are none.
 */
class TokenizerFuzzTest {
  private static final Path SEEDS = Path.of("tests", "resources");

  @TempDir private Path dir;

  @Test
  void tokenizers() throws IOException, InterruptedException {
    List<String> aborts = new ArrayList<>();
    int next = 0;
    while (next < Fuzz.ROUNDS && aborts.size() < 20) {
      Process process = process(next);
      String last = "";
      List<String> said = new ArrayList<>();
      try (BufferedReader reader = process.inputReader(StandardCharsets.UTF_8)) {
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
          if (line.startsWith("round ")) {
            last = line.substring("round ".length());
            said.clear();
          } else if (said.size() < 12) {
            said.add(line);
          }
        }
      }
      if (process.waitFor() == 0) {
        break;
      }
      aborts.add("round " + last + ": " + String.join("\n", said));
      next = last.isEmpty() ? Fuzz.ROUNDS : Integer.parseInt(last) + 1;
    }
    assertEquals(List.of(), aborts);
  }

  private Process process(int first) throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    return new ProcessBuilder(
            java, "--enable-native-access=ALL-UNNAMED", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash",
            "-Dlethe.fuzz.rounds=" + Fuzz.ROUNDS, "-cp", System.getProperty("java.class.path"), Rounds.class.getName(),
            dir.toString(), String.valueOf(first))
        .directory(Path.of("").toAbsolutePath().toFile())
        .redirectErrorStream(true)
        .start();
  }

  /** The process: it says each round before it begins. */
  static final class Rounds {
    private static final String[] VALUES = {
      "null", "true", "0", "-1", "1", "4294967296", "1e308", "\"\"", "\"a\"", "\"ab\"", "\"\\u0000\"", "\"(a+)+$\"", "\"\\\\p{L}\"",
      "[]", "{}", "[\"a\",1]", "{\"String\":\"\"}", "{\"Regex\":\"(a+)+$\"}", "{\"Regex\":\"\\\\s+\"}", "\"first\"", "\"Removed\"",
      "{\"type\":\"Lowercase\"}", "{\"type\":\"Digits\",\"individual_digits\":true}", "{\"type\":\"WordPiece\"}",
      "{\"type\":\"FixedLength\",\"length\":0}", "{\"type\":\"BertNormalizer\"}", "{\"type\":\"CTC\"}", "{\"type\":\"Punctuation\"}"
    };

    private Rounds() {}

    public static void main(String[] args) throws IOException {
      Path folder = Path.of(args[0]);
      Path main = folder.resolve("tokenizer.json");
      List<byte[]> seeds = new ArrayList<>();
      List<ObjectNode> trees = new ArrayList<>();
      try (var files = Files.walk(SEEDS)) {
        for (Path file : files.filter(file -> file.endsWith("tokenizer.json")).sorted().toList()) {
          trees.add(StrictJson.readObject(file, 1 << 20));
          seeds.add(trees.getLast().toString().getBytes(StandardCharsets.UTF_8));
        }
      }
      for (int round = Integer.parseInt(args[1]); round < Fuzz.ROUNDS; round++) {
        System.out.println("round " + round);
        Files.write(main, round % 4 == 0 ? Fuzz.mutated(seeds, round) : rebuilt(trees, new Random(round)));
        Fuzz.refused(
            main,
            file -> {
              try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
                tokenizer.decode(tokenizer.encode("Où é 12 \uD83D\uDE00  " + "a".repeat(60), true));
              }
            },
            "round " + round);
      }
    }

    /** A tokenizer with parts of another, and a few values changed. */
    private static byte[] rebuilt(List<ObjectNode> trees, Random random) {
      ObjectNode tree = trees.get(random.nextInt(trees.size())).deepCopy();
      ObjectNode other = trees.get(random.nextInt(trees.size()));
      for (String part : List.of("normalizer", "pre_tokenizer", "post_processor", "decoder")) {
        if (random.nextInt(3) == 0 && other.has(part)) {
          tree.set(part, other.get(part).deepCopy());
        }
      }
      for (int edits = random.nextInt(3); edits >= 0; edits--) {
        change(tree, random);
      }
      return tree.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static void change(JsonNode at, Random random) {
      while (true) {
        List<String> names = List.copyOf(at.propertyNames());
        int size = at.isArray() ? at.size() : names.size();
        if (size == 0) {
          return;
        }
        int place = random.nextInt(size);
        JsonNode below = at.isArray() ? at.get(place) : at.get(names.get(place));
        if (below.isContainer() && !below.isEmpty() && random.nextInt(6) > 0) {
          at = below;
          continue;
        }
        JsonNode value = changed(below, random);
        if (at instanceof ArrayNode list) {
          list.set(place, value);
        } else {
          ((ObjectNode) at).set(names.get(place), value);
        }
        return;
      }
    }

    private static JsonNode changed(JsonNode value, Random random) {
      if (value.isString() && value.stringValue().length() > 200 && random.nextInt(3) > 0) {
        StringBuilder text = new StringBuilder(value.stringValue());
        for (int i = random.nextInt(4); i >= 0; i--) {
          text.setCharAt(random.nextInt(text.length()), (char) ('A' + random.nextInt(26)));
        }
        return StrictJson.newObject().put("x", text.toString()).get("x");
      }
      return StrictJson.parse(VALUES[random.nextInt(VALUES.length)], "value");
    }
  }
}
