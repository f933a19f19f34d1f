package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is written and printed is the same where letters and digits are others. */
class LocaleTest {
  /** Turkish letters and Arabic digits. */
  private static final Locale ELSEWHERE = Locale.forLanguageTag("tr-TR-u-nu-arab");

  private static final Locale USUAL = Locale.getDefault();

  @TempDir private Path dir;

  @AfterEach
  void restore() {
    Locale.setDefault(USUAL);
  }

  @Test
  void theLocaleOfThisTestWouldShow() {
    assertNotEquals("title", "TITLE".toLowerCase(ELSEWHERE));
    assertNotEquals("7", String.format(ELSEWHERE, "%d", 7));
  }

  @Test
  void filesAndTablesAreTheSame() throws IOException {
    Map<String, String> usual = work(Locale.ROOT);
    Map<String, String> there = work(ELSEWHERE);
    assertEquals(usual.keySet(), there.keySet());
    usual.forEach((name, text) -> assertTrue(text.equals(there.get(name)), () -> name + " differs"));
  }

  /** In the same folder each time, because paths are hashed too. */
  private Map<String, String> work(Locale locale) throws IOException {
    Locale.setDefault(locale);
    Path folder = Files.createDirectories(dir.resolve("place"));
    Map<String, String> left = work(new Workplace(folder));
    Files.move(folder, dir.resolve("of " + locale));
    return left;
  }

  /** All that a training, a replay, an influence step and their tables leave, but for seconds and times. */
  private Map<String, String> work(Workplace place) throws IOException {
    Path key = Files.writeString(dir.resolve("key"), "0123456789abcdef".repeat(4) + "\n");
    Path adapter = place.adapter("adapter", "--trajectory", "on", "--row-key", key);
    Object[] forget = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--device",
      "reference", "--forget", "row-1,row-3"
    };
    Map<String, String> all = new TreeMap<>();
    all.put("replay", ok(with(forget, "--out", place.at("replay"))).out());
    all.put("step", ok(with(forget, "--method", "influence", "--out", place.at("step"))).out());
    all.put("sweep", ok(with(forget, "--damping-sweep", "0.1,1e-3", "--out", place.at("sweep"))).out());
    all.put(
        "influence",
        ok(
            "influence", "--model", place.model, "--adapter", adapter, "--data", place.data, "--query", place.data,
            "--device", "reference").out());
    all.put("inspect", ok("inspect", "--model", place.model, "--adapter", adapter, "--device", "reference").out());
    try (Stream<Path> files = Files.walk(place.dir)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String text = new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1);
        all.put(place.dir.relativize(file).toString(), text);
      }
    }
    all.replaceAll((name, text) -> withoutTimes(text.replace(place.dir.toString(), "DIR")));
    assertTrue(all.size() > 20, all.keySet().toString());
    return all;
  }

  private static String withoutTimes(String text) {
    return text.lines()
        .filter(line -> !line.matches("(?i).*(second|created|available|^ *java  |\"chain\"|\\d s\\b|\\bsolver\"? *:).*"))
        .filter(line -> !line.matches(" *\"(gradients|linearization|products|evaluation|total)\" : [0-9.E-]+,?"))
        .collect(Collectors.joining("\n"));
  }

  private static Object[] with(Object[] words, Object... more) {
    return Stream.concat(Stream.of(words), Stream.of(more)).toArray();
  }
}
