package dev.lethe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What docs/one-op.md says that a new operation costs, by LayerNorm; and that the code on it is the code. */
class OneOperationTest {
  private static final Path PAGE = Path.of("docs", "one-op.md");
  private static final String ADDED = "**New files**";
  private static final String EDITED = "**Existing files, a line or two in each**";
  /** The packages of models, which use operations, and of their configurations. */
  private static final List<String> USERS =
      List.of("src/main/java/dev/lethe/nn/", "src/main/java/dev/lethe/format/");

  private static final Pattern BULLET = Pattern.compile("(?m)^\\* `([^`]+)`");
  /** The operation, and not the key of RMS norms in GGUF files, {@code attention.layer_norm_rms_epsilon}. */
  private static final Pattern NAME = Pattern.compile("LayerNorm|layerNorm|layer_norm(?!_rms_epsilon)");

  private static final Pattern PATH = Pattern.compile("`((?:src|kernels)/[^`]+)`");
  private static final Pattern FENCE = Pattern.compile("(?s)```(java|cuda)\n(.*?)```");

  @Test
  void anOperationIsNewFilesAndAtMostFiveEdits() throws IOException {
    List<String> edited = bullets(EDITED, "`OneOperationTest`");
    List<String> added = bullets(ADDED, EDITED);
    assertTrue(edited.size() <= 5, edited::toString);
    assertTrue(added.size() >= 7, added::toString);
    Set<String> listed = new TreeSet<>(added);
    listed.addAll(edited);
    for (String file : listed) {
      String text = Files.readString(Path.of(file));
      assertTrue(NAME.matcher(text).find(), () -> file + " does not name LayerNorm");
    }
    listed.removeIf(file -> file.startsWith("tests/"));
    Set<String> naming = naming(Path.of("src", "main"), Path.of("kernels"));
    naming.removeIf(file -> USERS.stream().anyMatch(file::startsWith));
    assertEquals(listed, naming);
  }

  @Test
  void theCodeOnThePageIsTheCode() throws IOException {
    String page = Files.readString(PAGE);
    Matcher fence = FENCE.matcher(page);
    int found = 0;
    for (; fence.find(); found++) {
      String file = lastPath(page.substring(0, fence.start()));
      String[] lines = Files.readString(Path.of(file)).split("\n");
      int at = 0;
      for (String line : fence.group(2).split("\n")) {
        while (at < lines.length && !lines[at].strip().equals(line.strip())) {
          at++;
        }
        assertTrue(at < lines.length, () -> file + " does not hold, in this order: " + line);
      }
    }
    assertTrue(found >= 8, () -> "few pieces of code on " + PAGE);
  }

  private static List<String> bullets(String from, String to) throws IOException {
    String page = Files.readString(PAGE);
    String part = page.substring(page.indexOf(from), page.indexOf(to));
    return BULLET.matcher(part).results().map(match -> match.group(1)).toList();
  }

  private static String lastPath(String text) {
    List<String> paths = new ArrayList<>();
    PATH.matcher(text).results().forEach(match -> paths.add(match.group(1)));
    return paths.getLast();
  }

  /** The files under these folders that name LayerNorm. */
  private static Set<String> naming(Path... folders) throws IOException {
    Set<String> found = new TreeSet<>();
    for (Path folder : folders) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.filter(OneOperationTest::isSource).toList()) {
          if (NAME.matcher(Files.readString(file)).find()) {
            found.add(file.toString().replace('\\', '/'));
          }
        }
      }
    }
    return found;
  }

  private static boolean isSource(Path file) {
    String name = file.getFileName().toString();
    return name.endsWith(".java") || name.endsWith(".cu") || name.endsWith(".cuh");
  }
}
