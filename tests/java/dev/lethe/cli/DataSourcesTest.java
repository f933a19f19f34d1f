package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Where rows come from besides files of JSON, and what is in their place by mistake. */
class DataSourcesTest {
  @TempDir Path dir;

  private Workplace place;

  @BeforeEach
  void prepare() {
    place = new Workplace(dir);
  }

  @ParameterizedTest
  @CsvSource({
    "504152310000, Parquet", "4152524f5731000000, Arrow", "53514c69746520666f726d6174203300, SQLite",
    "8004958000000000, pickle", "1b5b324a071b5b33316d, JSON"
  })
  void foreignFilesAreNamedAndTheirBytesNotPrinted(String start, String named) throws IOException {
    byte[] head = HexFormat.of().parseHex(start);
    byte[] bytes = new byte[4096];
    System.arraycopy(head, 0, bytes, 0, head.length);
    requireNamed(bytes, named);
  }

  @Test
  void packedAndWideTextIsNamed() throws IOException {
    byte[] rows = Files.readAllBytes(place.data);
    ByteArrayOutputStream gzip = new ByteArrayOutputStream();
    try (OutputStream out = new GZIPOutputStream(gzip)) {
      out.write(rows);
    }
    requireNamed(gzip.toByteArray(), "gunzip");
    ByteArrayOutputStream zip = new ByteArrayOutputStream();
    try (ZipOutputStream out = new ZipOutputStream(zip)) {
      out.putNextEntry(new ZipEntry("rows.jsonl"));
      out.write(rows);
    }
    requireNamed(zip.toByteArray(), "zip");
    String text = new String(rows, StandardCharsets.UTF_8);
    for (String wide : List.of("UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")) {
      requireNamed(text.getBytes(Charset.forName(wide)), "iconv -f " + wide.substring(0, 6));
    }
  }

  private void requireNamed(byte[] bytes, String named) throws IOException {
    Path file = Files.write(dir.resolve("rows.parquet"), bytes);
    Ended ended = Cli.run(evaluate(file));
    assertEquals(ExitCode.FAILED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("rows.parquet") && ended.err().contains(named), ended::toString);
    assertTrue(
        ended.err().chars().noneMatch(c -> c == '\uFFFD' || Character.isISOControl(c) && c != '\n'),
        () -> HexFormat.of().formatHex(ended.err().getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void aNamedPipeIsReadOnce() throws Exception {
    Path pipe = dir.resolve("pipe");
    assumeTrue(made(pipe), "skipped: there is no mkfifo here");
    Thread writer =
        Thread.ofPlatform()
            .start(
                () -> {
                  try (OutputStream out = Files.newOutputStream(pipe)) {
                    Files.copy(place.data, out);
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                });
    Ended piped = Cli.run(evaluate(pipe));
    writer.join();
    assertEquals(Workplace.ok(evaluate(place.data)).out(), piped.out());
  }

  private static boolean made(Path pipe) throws InterruptedException {
    try {
      return new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void standardInputIsCalledByADash() throws Exception {
    Path out = dir.resolve("out.txt");
    Path err = dir.resolve("err.txt");
    Process process = started(place.data, out, err);
    assertTrue(process.waitFor(5, TimeUnit.MINUTES));
    assertEquals(0, process.exitValue(), () -> read(err));
    assertEquals(Workplace.ok(evaluate(place.data)).out(), read(out));
    Path empty = Files.createFile(dir.resolve("empty"));
    assertTrue(started(empty, out, err).waitFor(5, TimeUnit.MINUTES));
    assertTrue(read(err).contains("standard input: the data set has no rows"), () -> read(err));
  }

  private Process started(Path in, Path out, Path err) throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    List<String> command =
        new ArrayList<>(
            List.of(
                java, "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), Main.class.getName()));
    for (Object word : evaluate(Path.of("-"))) {
      command.add(word.toString());
    }
    return new ProcessBuilder(command)
        .redirectInput(in.toFile())
        .redirectOutput(out.toFile())
        .redirectError(err.toFile())
        .start();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private Object[] evaluate(Path data) {
    return new Object[] {"evaluate", "--model", place.model, "--data", data, "--device", "reference", "-q"};
  }
}
