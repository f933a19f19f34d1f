package dev.lethe.spark;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.Text;
import dev.lethe.cli.Workplace;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.nn.TinyModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * How much faster two executors of one thread each make a product than one, on a random model of stories15m's size.
 * Wants a quiet machine of at least two processors: {@code mvn -Pspark test -Dtest=ScalingStudyTest -Dlethe.study=true}.
 */
class ScalingStudyTest {
  private static final TinyModels.Dims STORIES_15M =
      new TinyModels.Dims(6, 288, 768, 6, 6, 32_000, 256, "\"tie_word_embeddings\": true, \"rope_theta\": 10000.0");
  private static final int ROWS = 1024;
  private static final int TOKENS = 32;
  private static final double LEAST_EFFICIENCY = 0.9;

  @Test
  void twoExecutorsAreNearlyTwiceAsFast(@TempDir Path dir) throws IOException, InterruptedException {
    assumeTrue(Boolean.getBoolean("lethe.study"), "skipped: it wants a quiet machine; -Dlethe.study=true");
    Workplace place = new Workplace(dir);
    Path model = TinyModels.writeFolder(dir.resolve("stories15m"), STORIES_15M, 1);
    Path data = place.write("stories.jsonl", rows());
    Path adapter = dir.resolve("stories-adapter");
    Workplace.ok(
        "train", "--model", model, "--data", place.data, "--out", adapter, "--device", "cpu", "--rank", 8, "--epochs",
        1);
    Path times = dir.resolve("times.txt");
    try (Cluster cluster = new Cluster(dir)) {
      cluster.addWorker();
      cluster.addWorker();
      cluster
          .submit("scaling", List.of(), ScalingDriver.class, model, adapter, data, times)
          .end(ExitCode.DONE);
    }
    List<double[]> rounds = new ArrayList<>();
    for (String line : Files.readAllLines(times)) {
      rounds.add(List.of(line.split(" ")).stream().mapToDouble(Double::parseDouble).toArray());
    }
    double efficiency = median(rounds, round -> round[0] / round[1] / 2);
    String found =
        Text.format(
            "%d rows of %d tokens: one executor %.3f s, two %.3f s, efficiency %.3f; the driver's processors %.3f s and"
                + " %.3f s a product (medians of %d rounds in turns)",
            ROWS, TOKENS, median(rounds, r -> r[0]), median(rounds, r -> r[1]), efficiency,
            median(rounds, r -> r[2]), median(rounds, r -> r[3]), rounds.size());
    System.out.println(found);
    assertTrue(efficiency >= LEAST_EFFICIENCY, found);
  }

  private static double median(List<double[]> rounds, ToDoubleFunction<double[]> of) {
    double[] sorted = rounds.stream().mapToDouble(of).sorted().toArray();
    return (sorted[sorted.length / 2] + sorted[(sorted.length - 1) / 2]) / 2;
  }

  private static List<String> rows() {
    SplittableRandom random = new SplittableRandom(7);
    return IntStream.range(0, ROWS)
        .mapToObj(
            i -> {
              String ids =
                  IntStream.range(0, TOKENS)
                      .mapToObj(t -> Integer.toString(random.nextInt(3, STORIES_15M.vocabulary())))
                      .collect(Collectors.joining(","));
              return Text.format("{\"id\":\"row-%d\",\"input_ids\":[%s],\"labels\":[%s]}", i, ids, ids);
            })
        .toList();
  }
}
