package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.influence.InfluenceScores;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.session.Influence;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.SampleGradients;
import dev.lethe.session.Session;
import dev.lethe.session.Training;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What docs/library.md shows is what stands here, and gives what the commands give. */
class LibraryPageTest {
  private static final Pattern EXAMPLE =
      Pattern.compile("    // an example begins\n(.*?)    // the example ends", Pattern.DOTALL);
  private static final Pattern FENCE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

  @TempDir private Path dir;
  private ReadmePlace place;

  @BeforeEach
  void modelAndRows() throws IOException {
    place = new ReadmePlace(dir);
  }

  static void gradients(Path modelDir, Path adapterDir, Path dataFile) {
    // an example begins
    try (Session session = Session.open(modelDir, "auto")) {
      AdaptedModel model = session.adapted(adapterDir);
      double[][] gradients = new SampleGradients(model, session.samples(dataFile)).toArrays();
      System.out.println(gradients.length + " gradients of " + model.layout().size() + " numbers");
    }
    // the example ends
  }

  static void influence(Path modelDir, Path adapterDir, Path dataFile, Path queryFile) {
    // an example begins
    try (Session session = Session.open(modelDir, "auto")) {
      AdaptedModel model = session.adapted(adapterDir);
      Influence influence = new Influence(model, adapterDir, session.samples(dataFile));
      InfluenceScores.Result result = influence.of(session.samples(queryFile));
      System.out.println("without row 0, the loss of query 0 changes by " + result.scores()[0][0] + " nats");
    }
    // the example ends
  }

  static void training(Path modelDir, Path dataFile, Path outDir) {
    // an example begins
    try (Session session = Session.open(modelDir, "auto")) {
      TrainOptions options = TrainOptions.builder().epochs(3).learningRate(1e-3).build();
      new Training(session, session.samples(dataFile))
          .options(options)
          .monitor(
              step ->
                  System.out.printf(
                      "%d of %d: loss %.3f, %.3f s, %.0f tokens/s%n",
                      step.step(), step.totalSteps(), step.loss(), step.seconds(), step.tokensPerSecond()))
          .write(outDir);
    }
    // the example ends
  }

  @Test
  void thePageShowsTheseExamples() throws IOException {
    List<String> here =
        EXAMPLE
            .matcher(Files.readString(Path.of("tests/java/dev/lethe/cli/LibraryPageTest.java")))
            .results()
            .map(found -> found.group(1).replaceAll("(?m)^    ", ""))
            .toList();
    assertEquals(3, here.size());
    assertEquals(here, onThePage());
  }

  static List<String> onThePage() throws IOException {
    return FENCE.matcher(Files.readString(Path.of("docs/library.md"))).results().map(f -> f.group(1)).toList();
  }

  @Test
  void gradientsAreThoseOfTheCommand() {
    Path adapter = place.trained("--trajectory", "off");
    Path file = dir.resolve("gradients.safetensors");
    Workplace.ok(
        "gradients", "--model", place.model, "--adapter", adapter, "--data", place.data, "--per-sample",
        "--out", file);
    try (Session session = Session.open(place.model, "auto");
        SafeTensors written = SafeTensors.open(file)) {
      AdaptedModel model = session.adapted(adapter);
      double[][] gradients = new SampleGradients(model, session.samples(place.data)).toArrays();
      assertEquals(44, gradients.length);
      for (Parameter p : model.layout().parameters()) {
        Tensor all = written.get(p.name());
        for (int row = 0; row < gradients.length; row++) {
          int from = Math.toIntExact(p.offset());
          assertArrayEquals(
              all.row(row).toDoubles(),
              Arrays.copyOfRange(gradients[row], from, from + (int) p.shape().elements()));
        }
      }
    }
  }

  @Test
  void arraysThatDoNotFitAreRefusedBeforeTheWork() {
    Path adapter = place.trained("--trajectory", "off");
    try (Session session = Session.open(place.model, "auto")) {
      AdaptedModel model = session.adapted(adapter);
      long many = Runtime.getRuntime().maxMemory() / model.layout().size();
      List<Sample> rows =
          Collections.nCopies((int) many, session.samples(place.data).getFirst());
      LetheException refused =
          assertThrows(LetheException.class, () -> new SampleGradients(model, rows).toArrays());
      assertTrue(refused.getMessage().contains("Java heap"), refused.getMessage());
    }
  }

  @Test
  void influenceIsThatOfTheCommandAndItsDampingThatOfUnlearning() throws IOException {
    Path adapter = place.trained("--trajectory", "off", "--optimizer", "sgd", "--weight-decay", "0.01");
    Path queries = dir.resolve("queries.jsonl");
    Files.write(queries, Files.readAllLines(place.data).subList(3, 5));
    Path out = dir.resolve("scores.jsonl");
    Workplace.ok(
        "influence", "--model", place.model, "--adapter", adapter, "--data", place.data, "--query",
        queries, "--out", out);
    List<String> lines = Files.readAllLines(out);
    try (Session session = Session.open(place.model, "auto")) {
      Influence influence =
          new Influence(session.adapted(adapter), adapter, session.samples(place.data));
      InfluenceScores.Result result = influence.of(session.samples(queries));
      assertEquals(2, result.scores().length);
      for (int q = 0; q < 2; q++) {
        JsonNode scores = StrictJson.parse(lines.get(q), "scores").get("scores");
        for (int i = 0; i < 44; i++) {
          assertEquals(scores.get(i).doubleValue(), result.scores()[q][i], "query " + q + ", row " + i);
        }
      }
      JsonNode system =
          StrictJson.readObject(place.byCommand(adapter).resolve("lethe_certificate.json"), 1 << 20).get("system");
      assertEquals(system.get("damping").doubleValue(), influence.damping().damping());
      assertEquals(system.get("weightDecay").doubleValue(), influence.damping().weightDecay());
      assertEquals(system.get("dampingFrom").asString(), influence.damping().from());
    }
  }

  @Test
  void trainingIsThatOfTheCommand() throws IOException {
    Path byCommand = dir.resolve("by-command");
    Workplace.ok(
        "train", "--model", place.model, "--data", place.data, "--out", byCommand, "--epochs", 3, "--lr", "1e-3");
    Path byLibrary = dir.resolve("by-library");
    training(place.model, place.data, byLibrary);
    assertEquals(contents(byCommand), contents(byLibrary));
    assertTrue(Files.notExists(dir.resolve("by-library.unfinished")));
  }

  @Test
  void anInterruptedTrainingGoesOnToTheSameBytes() throws IOException {
    TrainOptions options = TrainOptions.builder().epochs(2).build();
    Path whole = dir.resolve("whole");
    Path parts = dir.resolve("parts");
    List<StepLog> steps = new ArrayList<>();
    try (Session session = Session.open(place.model, "auto")) {
      new Training(session, session.samples(place.data)).options(options).write(whole);
      TrainMonitor impatient =
          new TrainMonitor() {
            @Override
            public void onStep(StepLog log) {
              steps.add(log);
            }

            @Override
            public boolean interrupted() {
              return steps.size() == 5;
            }
          };
      Training training = new Training(session, session.samples(place.data)).options(options).monitor(impatient);
      InterruptedRun stopped = assertThrows(InterruptedRun.class, () -> training.write(parts));
      assertTrue(stopped.getMessage().contains("after step 5 of 12"), stopped.getMessage());
      assertTrue(Files.notExists(parts));
      training.monitor(TrainMonitor.NONE).resume(parts);
    }
    assertEquals(contents(whole), contents(parts));
    assertTrue(steps.stream().allMatch(step -> step.seconds() > 0 && step.tokens() == 24), steps::toString);
  }

  /** Each file's name with what equal runs leave equal of it. */
  private static List<String> contents(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      List<String> contents = new ArrayList<>();
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        contents.add(folder.relativize(file) + " " + Workplace.stable(file));
      }
      return contents;
    }
  }
}
