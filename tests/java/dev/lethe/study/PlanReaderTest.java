package dev.lethe.study;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Plans are checked as a whole; their commands follow from them. */
class PlanReaderTest {
  private static final String PLAN =
      """
      {"format": "lethe-study-plan/1", "title": "t", "models": {"m": "model"},
       "data": {"d": {"file": "rows.jsonl", "first": 3}},
       "trainings": {"short": {"rank": 2, "lr": 0.01, "no-shuffle": true, "optimizer": "sgd"}},
       "requests": {"one": {"forget": "0"}, "two": {"forget": "1", "replace": "rows.jsonl"}},
       "methods": {"plain": {"method": "recorded", "exact-head": 0.5},
                   "npo": {"method": "npo", "set": {"beta": 0.2}, "grid": {"lr": [0.1, 0.01], "epochs": [1, 2]}}},
       "settings": [{"name": "s", "model": "m", "data": "d", "training": "short"}],
       "seeds": [1, 2, 3], "tuning": [1], "noise": 1}
      """;

  @TempDir Path dir;

  private StudyPlan read(String text) throws IOException {
    Files.createDirectories(dir.resolve("model"));
    Files.writeString(dir.resolve("rows.jsonl"), "{}\n");
    return PlanReader.read(Files.writeString(dir.resolve("plan.json"), text), dir);
  }

  @Test
  void aShardedMethodHasATrainingOfItsOwn() throws IOException {
    String sharded = PLAN.replace("{\"method\": \"recorded\", \"exact-head\": 0.5}", "{\"method\": \"sisa\", \"shards\": 4}");
    StudySteps steps = new StudySteps(read(sharded));
    StudySteps.Block first = steps.blocks().getFirst();
    List<StudyStep> trainings = steps.trainings(first);
    assertEquals("sharded/s/seed 1/4", trainings.get(1).name());
    assertEquals(
        List.of("--sisa", "4", "--seed", "1", "--out", "$OUT/sharded/s/seed 1/4"),
        trainings.get(1).args().subList(trainings.get(1).args().size() - 6, trainings.get(1).args().size()));
    List<String> unlearn = steps.cells(first, Map.of()).getFirst().unlearned().args();
    assertEquals("$OUT/sharded/s/seed 1/4", unlearn.get(unlearn.indexOf("--adapter") + 1));
    for (String wrong : List.of("{\"method\": \"sisa\"}", "{\"method\": \"exact\", \"shards\": 4}")) {
      assertThrows(
          LetheException.class, () -> read(PLAN.replace("{\"method\": \"recorded\", \"exact-head\": 0.5}", wrong)));
    }
  }

  @Test
  void aPlanBecomesCommands() throws IOException {
    StudyPlan plan = read(PLAN);
    StudySteps steps = new StudySteps(plan);
    StudySteps.Block first = steps.blocks().getFirst();
    List<StudyStep> trainings = steps.trainings(first);
    assertEquals(
        List.of(
            "train", "--model", "$FILES/model", "--data", "$OUT/data/d.jsonl", "--rank", "2", "--lr", "0.01",
            "--no-shuffle", "--optimizer", "sgd", "--trajectory", "auto", "--seed", "1", "--out", "$OUT/original/s/seed 1"),
        trainings.getFirst().args());
    assertEquals(
        List.of("original", "operators", "retrained", "noise", "retrained", "noise"),
        trainings.stream().map(step -> step.name().split("/")[0]).toList());
    List<String> edited = trainings.get(4).args();
    assertTrue(edited.contains("--without") && !edited.contains("--forget"), edited.toString());
    assertTrue(edited.contains("$FILES/rows.jsonl"), edited.toString());
    assertTrue(trainings.get(3).args().contains("1001"), "another order and start");
    List<StudyCell> choosing = steps.cells(first, Map.of());
    assertEquals(2 * (1 + 4), choosing.size(), "every point of the grid");
    assertEquals("unlearned/s/seed 1/one/npo lr=0.1 epochs=1", choosing.get(1).unlearned().name());
    StudySteps.Block other = steps.blocks().getLast();
    assertEquals(2, steps.cells(other, Map.of()).size(), "nothing was chosen yet");
    Map<String, Map<String, Double>> chosen = Map.of("s/npo", Map.of("lr", 0.01));
    assertEquals(4, steps.cells(other, chosen).size());
    List<String> npo = steps.cells(other, chosen).get(1).unlearned().args();
    assertTrue(npo.containsAll(List.of("npo", "beta=0.2", "lr=0.01")), npo.toString());
  }

  @Test
  void whatIsWrongIsNamed() {
    refused("\"noise\": 1", "\"noize\": 1", "noize");
    refused("\"model\": \"m\"", "\"model\": \"x\"", "names 'x'");
    refused("rows.jsonl\", \"first\"", "none.jsonl\", \"first\"", "not there");
    refused("\"beta\"", "\"bete\"", "bete");
    refused("[0.1, 0.01]", "[0.1, -1]", "out of range");
    refused("\"npo\", \"set\"", "\"npoo\", \"set\"", "npoo");
    refused("\"tuning\": [1]", "\"tuning\": [1, 2, 3]", "tuning");
    refused("\"tuning\": [1]", "\"tuning\": [7]", "tuning");
    refused("\"seeds\": [1, 2, 3]", "\"seeds\": [1, 1, 3]", "seeds");
    refused("\"forget\": \"0\"", "\"forgot\": \"0\"", "forgot");
    refused("{\"name\": \"s\"", "{\"name\": \"../s\"", "name");
    refused("\"recorded\", \"exact-head\": 0.5", "\"recorded\", \"set\": {\"lr\": 1}", "no use");
    refused("lethe-study-plan/1", "lethe-study-plan/2", "lethe-study-plan/1");
  }

  private void refused(String what, String by, String words) {
    String changed = PLAN.replace(what, by);
    assertTrue(!changed.equals(PLAN), what);
    LetheException refusal = assertThrows(LetheException.class, () -> read(changed), what);
    assertTrue(refusal.getMessage().contains(words), refusal.getMessage());
  }

  /** t with one and four degrees of freedom, by hand. */
  @Test
  void intervalsAreStudents() {
    SeedMean two = SeedMean.of(List.of(1.0, 3.0));
    assertEquals(2, two.mean());
    assertEquals(2 - 12.706, two.low(), 1e-9);
    SeedMean five = SeedMean.of(List.of(1.0, 2.0, 3.0, 4.0, 5.0));
    assertEquals(3 + 2.776 * Math.sqrt(2.5 / 5), five.high(), 1e-9);
    assertTrue(Double.isNaN(SeedMean.of(List.of(1.0)).low()));
    SeedMean many = SeedMean.of(Stream.iterate(0.0, x -> x + 1).limit(41).toList());
    assertEquals(2.0211, (many.high() - many.mean()) / Math.sqrt(143.5 / 41), 1e-3, "40 degrees of freedom");
  }
}
