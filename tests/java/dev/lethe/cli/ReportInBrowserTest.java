package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The report of an assessment, opened by a real browser without a screen and without a network. */
class ReportInBrowserTest {
  private static final int WIDTH = 1000;
  private static final int HEIGHT = 1600;

  @TempDir Path dir;

  @Test
  void itIsDrawnAsItWasWritten() throws IOException, InterruptedException {
    Path browser = browser();
    Workplace place = new Workplace(dir);
    Path original = place.adapter("original");
    Path retrained = place.adapter("retrained", "--without", "row-0,row-1,row-2");
    ok(
        "assess", "--model", place.model, "--data", place.data, "--original", original, "--unlearned", original,
        "--retrained", retrained, "--forget", "row-0,row-1,row-2", "--held-out",
        place.write("held.jsonl", Workplace.rows(9, 77)), "--out", place.at("out"), "--device", "reference", "--draws",
        100, "--quiet");
    Path report = place.at("out").resolve("report.html");
    String source = Files.readString(report);
    String shown = run(browser, "--dump-dom", report.toUri().toString());
    assertEquals(count(source, "<svg"), count(shown, "<svg"), "every picture is parsed");
    assertEquals(count(source, "<tr"), count(shown, "<tr"), "every line of every table is parsed");
    assertTrue(shown.contains("of the distance to retraining"), shown);
    assertFalse(Pattern.compile("(src|href)=\"https?:").matcher(shown).find(), "nothing is fetched");
    Path picture = dir.resolve("report.png");
    run(
        browser, "--screenshot=" + picture, "--window-size=" + WIDTH + "," + HEIGHT, "--hide-scrollbars",
        report.toUri().toString());
    BufferedImage image = ImageIO.read(picture.toFile());
    assertEquals(WIDTH, image.getWidth());
    Set<Integer> colours = new HashSet<>();
    int inked = 0;
    int rows = 0;
    for (int y = 0; y < image.getHeight(); y += 4) {
      int before = inked;
      for (int x = 0; x < image.getWidth(); x += 2) {
        int colour = image.getRGB(x, y);
        colours.add(colour);
        inked += colour == image.getRGB(0, 0) ? 0 : 1;
      }
      rows += inked > before ? 1 : 0;
    }
    assertTrue(colours.size() > 20, "text and charts have many colours: " + colours.size());
    assertTrue(rows > image.getHeight() / 4 / 3, "the page is filled: " + rows + " of the rows looked at");
    for (int y = 0; y < image.getHeight(); y++) {
      assertEquals(image.getRGB(0, 0), image.getRGB(WIDTH - 1, y), "nothing runs over the right edge, line " + y);
    }
  }

  private static Path browser() {
    List<String> names = List.of("chromium", "chromium-browser", "google-chrome");
    Path found =
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .flatMap(folder -> names.stream().map(name -> Path.of(folder, name)))
            .filter(Files::isExecutable)
            .findFirst()
            .orElse(null);
    Assumptions.assumeTrue(found != null, "there is no Chromium on this machine, so the report was not opened");
    return found;
  }

  private String run(Path browser, String... args) throws IOException, InterruptedException {
    List<String> command =
        new ArrayList<>(
            List.of(
                browser.toString(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + dir.resolve("profile")));
    command.addAll(List.of(args));
    Path out = dir.resolve("browser.out");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(dir.resolve("browser.err").toFile())
            .start();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the browser did not end");
    assertEquals(0, process.exitValue(), Files.readString(dir.resolve("browser.err")));
    return Files.readString(out, StandardCharsets.UTF_8);
  }

  private static int count(String text, String part) {
    return text.split(Pattern.quote(part), -1).length - 1;
  }
}
