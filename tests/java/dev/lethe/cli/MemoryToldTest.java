package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.Text;
import dev.lethe.nn.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every command on a model says beforehand what its tensors take, to a tenth, and refuses what does not fit. */
class MemoryToldTest {
  private static final Pattern TOLD = Pattern.compile("tensors ([\\d.]+) (\\w+) of ([\\d.]+) (\\w+) planned");

  private static final int ROWS = 16;
  private static final int LENGTH = 40;

  @TempDir private static Path dir;
  private static Workplace place;
  private static Path model;
  private static Path data;
  private static Path one;
  private static Path adapter;
  private static Path sharded;
  private static int outputs;

  @BeforeAll
  static void train() {
    place = new Workplace(dir);
    model = TinyModels.writeFolder(dir.resolve("wider"), new TinyModels.Dims(3, 64, 160, 4, 2, 300, 128, ""), 1);
    data = place.write("long.jsonl", IntStream.range(0, ROWS).mapToObj(MemoryToldTest::row).toList());
    one = place.write("one.jsonl", List.of(row(99)));
    adapter = place.at("trained");
    sharded = place.at("shards");
    ok(trained(adapter));
    ok(trained(sharded, "--sisa", 3));
  }

  private static String row(int i) {
    List<Integer> ids = IntStream.range(0, LENGTH).map(t -> 3 + (31 * i + 7 * t * t) % 290).boxed().toList();
    return Text.format("{\"id\":\"row-%d\",\"input_ids\":%s,\"labels\":%s}", i, ids, ids);
  }

  private static Object[] trained(Path at, Object... more) {
    List<Object> words = new ArrayList<>(List.of("--data", data, "--out", at, "--rank", 4, "--batch", 4, "--lr", "1e-3"));
    words.addAll(List.of(more));
    return with("train", words.toArray());
  }

  private static List<Object[]> commands() {
    return List.of(
        on("evaluate", adapter),
        with("generate", "--adapter", adapter, "--prompt-ids", "1,5,7", "--max-new-tokens", 20, "--ignore-eos"),
        trained(out()),
        on("gradients", adapter, "--out", out()),
        on("gradients", adapter, "--per-sample", "--out", out()),
        on("influence", adapter, "--query", one, "--max-iterations", 2),
        on("unlearn", adapter, "--forget", "row-3", "--out", out(), "--method", "influence"),
        on("prepare", adapter, "--operators", out()),
        on("unlearn", adapter, "--forget", "row-3", "--out", out(), "--method", "recorded", "--force"),
        on("unlearn", adapter, "--forget", "row-3", "--out", out(), "--method", "exact"),
        on("unlearn", adapter, "--forget", "row-3", "--out", out(), "--method", "averaged"),
        on("unlearn", sharded, "--forget", "row-3", "--out", out(), "--method", "sisa"),
        on("unlearn", adapter, "--forget", "row-3", "--out", out(), "--method", "kl-min"),
        assess("assess", "--forget", "row-3", "--out", place.at("assessed")),
        assess("assess", "--forget", "row-3,row-5", "--relearn", 2, "--out", place.at("relearned")),
        assess("assess", "--forget", "row-3", "--four-bits", "--out", place.at("rounded")),
        with("merge", "--adapter", adapter, "--out", out()));
  }

  private static Path out() {
    return place.at("out-" + outputs++);
  }

  private static Object[] with(String command, Object... more) {
    List<Object> words = new ArrayList<>(List.of(command, "--model", model, "--device", "cpu"));
    words.addAll(List.of(more));
    return words.toArray();
  }

  private static Object[] on(String command, Path ofAdapter, Object... more) {
    List<Object> words = new ArrayList<>(List.of("--adapter", ofAdapter, "--data", data));
    words.addAll(List.of(more));
    return with(command, words.toArray());
  }

  private static Object[] assess(String command, Object... more) {
    List<Object> words = new ArrayList<>(List.of("--data", data));
    List.of("--original", "--unlearned", "--retrained").forEach(role -> words.addAll(List.of(role, adapter)));
    words.addAll(List.of(more));
    return with(command, words.toArray());
  }

  @TestFactory
  List<DynamicTest> everyCommandTakesWhatWasPlanned() {
    return commands().stream()
        .map(words -> DynamicTest.dynamicTest(String.join(" ", texts(words)), () -> planned(words)))
        .toList();
  }

  private static List<String> texts(Object[] words) {
    return List.of(words).stream().map(Object::toString).toList();
  }

  private static void planned(Object[] words) {
    String said = ok(words).err();
    Matcher told = TOLD.matcher(said);
    assertTrue(told.find(), said);
    double taken = bytes(told.group(1), told.group(2));
    double planned = bytes(told.group(3), told.group(4));
    assertEquals(taken, planned, taken / 10, said);
  }

  private static double bytes(String number, String unit) {
    double scale =
        switch (unit) {
          case "kB" -> 1e3;
          case "MB" -> 1e6;
          case "GB" -> 1e9;
          default -> 1;
        };
    return Double.parseDouble(number) * scale;
  }
}
