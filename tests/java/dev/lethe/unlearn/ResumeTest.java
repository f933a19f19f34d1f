package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.StepFile;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Interruption and continuation, and what is left on disk. */
class ResumeTest {
  private static Facts facts;

  @TempDir Path dir;

  @BeforeAll
  static void open(@TempDir Path folder) {
    facts = new Facts(folder.resolve("model"));
  }

  @AfterAll
  static void close() {
    facts.close();
  }

  @ParameterizedTest
  @CsvSource({"cg,1", "cg,2", "minres,1", "lissa,1", "sgd,1"})
  void killedAndResumedItGivesTheSameBytes(String solver, int outerStep) {
    Path partial = dir.resolve("out.partial");
    byte[] whole;
    try (UnlearnResult result = eraser(solver).build().run(EraserMonitor.NONE)) {
      whole = Facts.bytes(HostTensors.download(result.adapter()));
    }
    Eraser killed = eraser(solver).partial(partial).build();
    UnlearnInterrupted stop =
        assertThrows(UnlearnInterrupted.class, () -> killed.run(stopIn(outerStep, 3)));
    assertEquals(partial, stop.state());
    assertTrue(stop.getMessage().contains("--resume"), stop.getMessage());
    Eraser resumed = eraser(solver).partial(partial).resume(true).build();
    Iterations seen = new Iterations();
    try (UnlearnResult result = resumed.run(seen)) {
      assertArrayEquals(whole, Facts.bytes(HostTensors.download(result.adapter())));
      assertEquals(2, result.certificate().steps().size());
      assertEquals(outerStep, seen.firstStep, "it went on, it did not start again");
      assertEquals(4, seen.firstIteration);
      assertTrue(Files.exists(partial), "the state stays until the result is written");
      result.write(dir.resolve("out"), null);
    }
    assertFalse(Files.exists(partial), "and then it is gone");
  }

  @Test
  void anInterruptOfTheThreadIsAWishToStop() {
    byte[] whole;
    try (UnlearnResult result = eraser("cg").build().run(EraserMonitor.NONE)) {
      whole = Facts.bytes(HostTensors.download(result.adapter()));
    }
    Path partial = dir.resolve("out.partial");
    EraserMonitor interrupts =
        new EraserMonitor() {
          @Override
          public void onIteration(int step, int done, int most, double residual) {
            if (step == 2 && done == 3) {
              Thread.currentThread().interrupt();
            }
          }
        };
    UnlearnInterrupted stop =
        assertThrows(UnlearnInterrupted.class, () -> eraser("cg").partial(partial).build().run(interrupts));
    assertTrue(Thread.interrupted(), "the caller learns of the interrupt");
    assertEquals(partial, stop.state());
    try (UnlearnResult result = eraser("cg").partial(partial).resume(true).build().run(EraserMonitor.NONE)) {
      assertArrayEquals(whole, Facts.bytes(HostTensors.download(result.adapter())));
    }
  }

  @Test
  void anotherRunsStateIsRefusedByName() {
    Path partial = dir.resolve("out.partial");
    Eraser killed = eraser("cg").partial(partial).build();
    assertThrows(UnlearnInterrupted.class, () -> killed.run(stopIn(1, 2)));
    String again = refusal(eraser("cg").partial(partial));
    assertTrue(again.contains("exists already"), again);
    String options = refusal(eraser("cg").damping(7).partial(partial).resume(true));
    assertTrue(options.contains("another options"), options);
    UnlearnRequest other = facts.removal("4");
    String request =
        refusal(facts.eraser(other).damping(0.01).outerSteps(2).partial(partial).resume(true));
    assertTrue(request.contains("another"), request);
    String nothing = refusal(eraser("cg").partial(dir.resolve("none")).resume(true));
    assertTrue(nothing.contains("no interrupted run"), nothing);
  }

  @Test
  void withoutAFolderNothingIsKept() {
    Eraser killed = eraser("cg").build();
    UnlearnInterrupted stop =
        assertThrows(UnlearnInterrupted.class, () -> killed.run(stopIn(1, 2)));
    assertEquals(null, stop.state());
    assertTrue(stop.getMessage().contains("starts anew"), stop.getMessage());
  }

  @Test
  void theStepOnDiskReturnsExactly() {
    Path out = dir.resolve("unlearned");
    byte[] before = Facts.bytes(HostTensors.download(facts.model.adapter()));
    byte[] after;
    try (UnlearnResult result = eraser("cg").build().run(EraserMonitor.NONE)) {
      result.write(out, null);
      after = Facts.bytes(HostTensors.download(result.adapter()));
    }
    Path step = out.resolve(UnlearnResult.STEP);
    try (PeftFolder folder = PeftFolder.open(out);
        LoraAdapter adapter = LoraAdapter.open(folder, facts.tiny.model())) {
      assertArrayEquals(after, Facts.bytes(HostTensors.download(adapter)));
      assertTrue(StepFile.subtract(step, adapter));
      assertArrayEquals(before, Facts.bytes(HostTensors.download(adapter)), "taken back");
      StepFile.add(step, adapter);
      assertArrayEquals(after, Facts.bytes(HostTensors.download(adapter)), "and taken again");
    }
    LetheException e =
        assertThrows(
            LetheException.class,
            () -> StepFile.subtract(out.resolve("adapter_model.safetensors"), facts.fresh(1)));
    assertTrue(e.getMessage().contains("no unlearning step"), e.getMessage());
  }

  @Test
  void anEmptyRequestCopiesTheAdapterByteForByte() throws IOException {
    Path original = dir.resolve("original");
    facts.model.adapter().save(original);
    Path out = dir.resolve("same");
    try (UnlearnResult result = facts.eraser(facts.removal()).build().run(EraserMonitor.NONE)) {
      result.write(out, original);
    }
    for (String file : List.of("adapter_config.json", "adapter_model.safetensors")) {
      assertEquals(-1, Files.mismatch(original.resolve(file), out.resolve(file)), file);
    }
    LetheException e;
    try (UnlearnResult result = facts.eraser(facts.removal()).build().run(EraserMonitor.NONE)) {
      e = assertThrows(LetheException.class, () -> result.write(out, original));
    }
    assertTrue(e.getMessage().contains("exists already"), e.getMessage());
  }

  @Test
  void noFileHoldsTheForgottenText() throws IOException {
    String secret = "cabdeb";
    List<Sample> data = new ArrayList<>();
    for (int i = 0; i < 12; i++) {
      String response = i == 5 ? secret : "ab" + (char) ('a' + i % 7);
      data.add(encoded("row-" + i, "bca" + (char) ('a' + i % 5), response));
    }
    LoraAdapter adapter = facts.fresh(1);
    TinyModels.randomize(facts.backend, adapter.theta(), 0.1, 79);
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), adapter);
    UnlearnRequest request = UnlearnRequest.of(data, List.of("row-5"), List.of());
    Path partial = dir.resolve("private.partial");
    Eraser.Builder eraser =
        Eraser.builder(model, request).memory(Facts.MEMORY).partial(partial).damping(1);
    assertThrows(UnlearnInterrupted.class, () -> eraser.build().run(stopIn(1, 1)));
    requireAbsent(partial, secret);
    try (UnlearnResult result = eraser.resume(true).build().run(EraserMonitor.NONE)) {
      result.write(dir.resolve("private"), null);
      assertFalse(result.certificate().toText().contains(secret));
      assertTrue(result.certificate().toText().contains("row-5"), "the id is what names it");
    }
    requireAbsent(dir.resolve("private"), secret);
  }

  /** Neither the text nor its token ids as a list. */
  private static void requireAbsent(Path folder, String secret) throws IOException {
    String ids =
        secret.chars().mapToObj(c -> String.valueOf(c - 'a' + 3)).collect(Collectors.joining(","));
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        String text = new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1);
        assertFalse(text.contains(secret), file.toString());
        assertFalse(text.replace(" ", "").contains(ids), file.toString());
      }
    }
  }

  /** Letters as tokens from 3. */
  private static Sample encoded(String id, String prompt, String response) {
    int[] ids = (prompt + response).chars().map(c -> c - 'a' + 3).toArray();
    int[] labels = ids.clone();
    Arrays.fill(labels, 0, prompt.length(), Sample.IGNORED);
    String hash = DatasetReader.sha256(new PromptRow(id, prompt, response));
    return new Sample(id, ids, labels, hash);
  }

  private static Eraser.Builder eraser(String solver) {
    return facts
        .eraser(facts.removal("3", "8"))
        .solver(solver)
        .damping(0.01)
        .tolerance(1e-6)
        .maxIterations(solver.equals("cg") || solver.equals("minres") ? 500 : 40)
        .outerSteps(2);
  }

  private static String refusal(Eraser.Builder builder) {
    return assertThrows(LetheException.class, () -> builder.build().run(EraserMonitor.NONE))
        .getMessage();
  }

  @Test
  void gradientsAreCountedAndCanBeStopped() {
    List<Long> counted = new ArrayList<>();
    EraserMonitor stopping =
        new EraserMonitor() {
          @Override
          public void onPhase(String phase, long rows) {
            counted.add(rows);
          }

          @Override
          public void onRows(long done) {
            counted.add(done);
          }

          @Override
          public boolean interrupted() {
            return counted.size() == 3;
          }
        };
    Eraser eraser = eraser("cg").limits(new BatchLimits(7, 1000)).build();
    UnlearnInterrupted stopped =
        assertThrows(UnlearnInterrupted.class, () -> eraser.run(stopping));
    assertNull(stopped.state(), "there is nothing to go on from yet");
    assertEquals(List.of(58L, 7L, 14L), counted);
  }

  private static EraserMonitor stopIn(int outerStep, int iteration) {
    return new EraserMonitor() {
      private boolean stop;

      @Override
      public void onIteration(int step, int done, int most, double residual) {
        stop = step == outerStep && done == iteration;
      }

      @Override
      public boolean interrupted() {
        return stop;
      }
    };
  }

  /** Remembers where a run began. */
  private static final class Iterations implements EraserMonitor {
    private int firstStep;
    private int firstIteration;

    @Override
    public void onIteration(int step, int done, int most, double residual) {
      if (firstStep == 0) {
        firstStep = step;
        firstIteration = done;
      }
    }
  }
}
