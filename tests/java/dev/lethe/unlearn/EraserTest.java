package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.Outputs;
import dev.lethe.evaluate.RetrainDistance;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.DampingTable;
import dev.lethe.unlearn.result.StepFile;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Unlearning against retraining, at a minimum where the theory holds. Long because all of it shares that minimum. */
class EraserTest {
  private static Facts facts;

  @BeforeAll
  static void open(@TempDir Path dir) {
    facts = new Facts(dir.resolve("model"));
  }

  @AfterAll
  static void close() {
    facts.close();
  }

  @Test
  void removalComesCloserToRetraining() {
    closes(facts.removal("3"), 0.6, 0.25);
    closes(facts.removal("3", "5", "8"), 0.7, 0.35);
  }

  @Test
  void outerStepsCloseMore() {
    UnlearnRequest request = facts.removal("3", "5", "8");
    LoraAdapter retrained = facts.retrained(request);
    RetrainDistance three = distance(facts.eraser(request).outerSteps(3), retrained);
    assertTrue(three.outputsClosed() > 0.85, three.toString());
    assertTrue(three.weightsClosed() > 0.5, three.toString());
  }

  @Test
  void correctionComesCloserToRetraining() {
    closes(facts.replacement(facts.corrected(3)), 0.5, 0.15);
  }

  @Test
  void rewordingComesCloserToRetraining() {
    closes(facts.replacement(facts.reworded(3)), 0.5, 0.15);
  }

  @Test
  void aSweepIsTheStepsOfItsDampings(@TempDir Path dir) {
    UnlearnRequest request = facts.removal("3", "5");
    List<Double> dampings = List.of(0.02, 0.002, 0.5);
    DampingTable table = facts.eraser(request).build().sweep(dampings, EraserMonitor.NONE);
    table.write(dir.resolve("sweep"), facts.model.layout());
    long alone = 0;
    for (int i = 0; i < dampings.size(); i++) {
      DampingTable.Line line = table.lines().get(i);
      assertTrue(line.converged(), line.stop());
      Eraser.Builder single = facts.eraser(request).damping(dampings.get(i));
      try (UnlearnResult result = single.build().run(EraserMonitor.NONE)) {
        double[] expected = result.step().delta().toDoubles();
        double[] found = line.step().delta().toDoubles();
        double difference = 0;
        double size = 0;
        for (int j = 0; j < expected.length; j++) {
          difference += Math.pow(found[j] - expected[j], 2);
          size += expected[j] * expected[j];
        }
        assertTrue(Math.sqrt(difference / size) <= 1e-6, line.damping() + ": " + difference / size);
        assertEquals(Math.sqrt(size), line.stepNorm(), 1e-6 * Math.sqrt(size));
        alone += result.certificate().steps().getFirst().products();
      }
      assertTrue(line.requestRise() > 0 && line.targetChange() < 0, table.toText());
      LoraAdapter moved = facts.model.adapter().copy();
      StepFile.add(dir.resolve("sweep").resolve(line.file()), moved);
      assertNotEquals(facts.model.adapter().sha256(), moved.sha256());
      moved.close();
    }
    assertTrue(table.products() < alone, table.products() + " against " + alone);
  }

  @Test
  void aBlockOfOneIsConjugateGradients() {
    UnlearnRequest request = facts.removal("3", "5");
    try (UnlearnResult one = facts.eraser(request).build().run(EraserMonitor.NONE);
        UnlearnResult block =
            facts.eraser(request).solver("block-cg").build().run(EraserMonitor.NONE)) {
      double[] expected = one.step().delta().toDoubles();
      assertArrayEquals(expected, block.step().delta().toDoubles(), 1e-6);
      assertTrue(block.certificate().toJson().contains("block-cg"));
      long iterations = block.certificate().steps().getFirst().iterations();
      assertEquals(one.certificate().steps().getFirst().iterations(), iterations, 5.0);
    }
  }

  @Test
  void aSweepOfNothingIsRefused() {
    Eraser eraser = facts.eraser(facts.removal()).build();
    assertThrows(LetheException.class, () -> eraser.sweep(List.of(1.0), EraserMonitor.NONE));
  }

  /** One step closes these parts of the distance to retraining. */
  private static void closes(UnlearnRequest request, double outputs, double weights) {
    RetrainDistance it = distance(facts.eraser(request), facts.retrained(request));
    assertTrue(it.outputsClosed() > outputs, request.forgetIds() + ": " + it);
    assertTrue(it.weightsClosed() > weights, request.forgetIds() + ": " + it);
  }

  @Test
  void targetCurvatureBeatsTheClassicalEstimate() {
    UnlearnRequest request = facts.removal("3", "5", "8");
    LoraAdapter retrained = facts.retrained(request);
    RetrainDistance target = distance(facts.eraser(request), retrained);
    RetrainDistance all =
        distance(facts.eraser(request).curvatureData(CurvatureData.ALL), retrained);
    assertTrue(target.outputs() < 0.95 * all.outputs(), target + " against " + all);
    assertTrue(target.weights() < all.weights(), target + " against " + all);
  }

  @Test
  void theReleasedProcedureHardlyMoves() {
    UnlearnRequest request = facts.removal("3");
    RetrainDistance it =
        distance(facts.eraser(request).solver("llmeraser-released"), facts.retrained(request));
    assertTrue(it.outputsClosed() < 0.1, it.toString());
  }

  @Test
  void heavyDampingGivesTheRightHandSide() {
    Sample other = facts.corrected(3);
    UnlearnRequest request = UnlearnRequest.of(facts.data, List.of("7"), List.of(other));
    double heavy = 1e9;
    double[] b = handMade(List.of(facts.data.get(3), facts.data.get(7)), List.of(other));
    try (UnlearnResult result = run(facts.eraser(request).damping(heavy))) {
      double[] before = HostTensors.download(facts.model.adapter()).toDoubles();
      double[] after = HostTensors.download(result.adapter()).toDoubles();
      double error = 0;
      double size = 0;
      for (int i = 0; i < b.length; i++) {
        error += Math.pow(heavy * (after[i] - before[i]) - b[i], 2);
        size += b[i] * b[i];
      }
      assertTrue(Math.sqrt(error / size) < 1e-5, "sign and 1/n: " + Math.sqrt(error / size));
      assertEquals(Math.sqrt(size), result.certificate().steps().getFirst().rhsNorm(), 1e-12);
    }
  }

  /** (1/n)(Σ old − Σ new) from per-sample gradients. */
  private static double[] handMade(List<Sample> old, List<Sample> replacements) {
    List<Sample> rows = new ArrayList<>(old);
    rows.addAll(replacements);
    Tensor theta = facts.model.adapter().theta();
    double[] b = new double[Math.toIntExact(theta.elements())];
    new DatasetLoss(facts.model, rows, BatchLimits.DEFAULT)
        .perSample(
            theta,
            (first, g) -> {
              for (int i = 0; i < g.dim(0); i++) {
                double weight = (first + i < old.size() ? 1.0 : -1.0) / Facts.ROWS;
                double[] row = HostTensors.download(facts.backend, g.row(i)).toDoubles();
                for (int p = 0; p < b.length; p++) {
                  b[p] += weight * row[p];
                }
              }
            });
    return b;
  }

  @Test
  void removalRaisesTheForgottenLossAndSaysSo() {
    try (UnlearnResult result = run(facts.eraser(facts.removal("3")))) {
      Certificate c = result.certificate();
      assertTrue(c.losses().forgotten().after() > c.losses().forgotten().before());
      assertTrue(c.gradients().unrest() < 1e-6, "the adapter is at a minimum");
      assertTrue(c.gradients().targetAfter() < c.gradients().targetBefore());
      assertEquals(List.of(), c.warnings());
      assertEquals(1, c.request().removed());
      assertNotEquals(c.hashes().adapterBefore(), c.hashes().adapterAfter());
    }
  }

  @Test
  void anEmptyRequestChangesNothing() {
    byte[] before = Facts.bytes(HostTensors.download(facts.model.adapter()));
    try (UnlearnResult result = run(facts.eraser(facts.removal()))) {
      assertArrayEquals(before, Facts.bytes(HostTensors.download(result.adapter())));
      assertFalse(result.changed());
      assertEquals(List.of(), result.certificate().steps());
      assertTrue(
          result.certificate().notes().getFirst().contains("nothing was asked"),
          result.certificate().notes().toString());
    }
  }

  @Test
  void aReplacementThatSaysTheSameChangesNothing() {
    int[] ids = facts.data.get(3).inputIds();
    UnlearnRequest request = facts.replacement(Facts.fact("3", ids[1], ids[2], ids[3]));
    byte[] before = Facts.bytes(HostTensors.download(facts.model.adapter()));
    try (UnlearnResult result = run(facts.eraser(request))) {
      assertArrayEquals(before, Facts.bytes(HostTensors.download(result.adapter())));
      assertTrue(result.certificate().notes().getFirst().contains("say the same"));
    }
  }

  @Test
  void equalRunsGiveEqualBytesAndLeaveTheModelAlone() {
    byte[] before = Facts.bytes(HostTensors.download(facts.model.adapter()));
    UnlearnRequest request = facts.removal("3", "8");
    try (UnlearnResult one = run(facts.eraser(request).curvatureRows(20).seed(4));
        UnlearnResult two = run(facts.eraser(request).curvatureRows(20).seed(4));
        UnlearnResult other = run(facts.eraser(request).curvatureRows(20).seed(5))) {
      byte[] bytes = Facts.bytes(HostTensors.download(one.adapter()));
      assertArrayEquals(bytes, Facts.bytes(HostTensors.download(two.adapter())));
      assertNotEquals(
          one.certificate().hashes().adapterAfter(), other.certificate().hashes().adapterAfter());
      assertEquals(20, one.certificate().system().curvatureRows());
    }
    assertArrayEquals(before, Facts.bytes(HostTensors.download(facts.model.adapter())));
  }

  @Test
  void drawnRowsAreHeldAgainstOthers() {
    UnlearnRequest request = facts.removal("3", "8");
    try (UnlearnResult few = run(facts.eraser(request).curvatureRows(3).seed(4));
        UnlearnResult half = run(facts.eraser(request).curvatureRows(28).seed(4));
        UnlearnResult all = run(facts.eraser(request))) {
      assertNull(residualOnOthers(all), "nothing was drawn");
      assertTrue(residualOnOthers(half) < residualOnOthers(few), "more rows agree better");
      assertTrue(few.certificate().toText().contains("as many other rows"));
    }
  }

  @Test
  void drawnCertificateRowsMeasureLessOfTheSameStep() {
    UnlearnRequest request =
        UnlearnRequest.of(facts.data, List.of("8"), List.of(facts.corrected(3)));
    try (UnlearnResult all = run(facts.eraser(request));
        UnlearnResult most = run(facts.eraser(request).certificateRows(Facts.ROWS - 2).seed(4));
        UnlearnResult few = run(facts.eraser(request).certificateRows(20).seed(4));
        UnlearnResult none = run(facts.eraser(request).certificateRows(0))) {
      byte[] bytes = Facts.bytes(HostTensors.download(all.adapter()));
      for (UnlearnResult less : List.of(most, few, none)) {
        assertArrayEquals(bytes, Facts.bytes(HostTensors.download(less.adapter())));
        Certificate.Losses losses = less.certificate().losses();
        assertEquals(all.certificate().losses().forgotten(), losses.forgotten());
        assertEquals(all.certificate().losses().replacements(), losses.replacements());
      }
      Certificate.Gradients whole = all.certificate().gradients();
      assertEquals(Facts.ROWS - 1, whole.targetRows());
      assertTrue(error(whole, most) > 0 && error(whole, most) < error(whole, few));
      assertTrue(few.certificate().losses().retained().rows() <= 20);
      assertTrue(few.certificate().toText().contains("over 20 of 59 target rows"));
      assertTrue(few.certificate().notes().toString().contains("drawn rows"));
      Certificate.Gradients nothing = none.certificate().gradients();
      assertEquals(new Certificate.Gradients(0L, null, null, null, whole.request(), null), nothing);
      assertNull(none.certificate().losses().retained());
      assertTrue(none.certificate().toText().contains("objective: not measured"));
      assertTrue(none.certificate().notes().toString().contains("not measured"));
    }
  }

  private static double error(Certificate.Gradients whole, UnlearnResult drawn) {
    return Math.abs(drawn.certificate().gradients().targetBefore() / whole.targetBefore() - 1);
  }

  private static Double residualOnOthers(UnlearnResult result) {
    return result.certificate().steps().getFirst().residualOnOthers();
  }

  @Test
  void anIndefiniteSystemIsRefusedWithItsRemedy() {
    LoraAdapter rough = facts.fresh(1);
    TinyModels.randomize(facts.backend, rough.theta(), 1, 77);
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), rough);
    Eraser eraser =
        Eraser.builder(model, facts.removal("3"))
            .curvature(Curvature.HESSIAN)
            .damping(0)
            .memory(Facts.MEMORY)
            .build();
    LetheException e =
        assertThrows(LetheException.class, () -> eraser.run(EraserMonitor.NONE));
    assertTrue(e.getMessage().contains("minres"), e.getMessage());
  }

  @Test
  void farFromAMinimumTheCertificateWarns() {
    LoraAdapter rough = facts.fresh(1);
    TinyModels.randomize(facts.backend, rough.theta(), 0.1, 78);
    AdaptedModel model = new AdaptedModel(facts.tiny.model(), rough);
    Eraser.Builder far =
        Eraser.builder(model, facts.removal("3")).damping(1).memory(Facts.MEMORY);
    try (UnlearnResult once = run(far);
        UnlearnResult thrice = run(far.outerSteps(3));
        UnlearnResult anchored = run(far.outerTarget(EraserOptions.OuterTarget.ANCHORED))) {
      assertTrue(once.certificate().notes().getFirst().contains("not near a minimum"));
      assertTrue(thrice.certificate().warnings().toString().contains("go on training"));
      assertFalse(anchored.certificate().warnings().toString().contains("go on training"));
      assertTrue(gain(thrice) > 0.03, "it did train on: " + gain(thrice));
      assertTrue(Math.abs(gain(anchored)) < 0.2 * gain(thrice), gain(anchored) + " anchored");
      assertTrue(Math.abs(gain(once)) < 0.2 * gain(thrice), gain(once) + " once");
    }
  }

  /** How much the loss on the retained rows fell. */
  private static double gain(UnlearnResult result) {
    Certificate.Pair retained = result.certificate().losses().retained();
    return retained.before() - retained.after();
  }

  @Test
  void optionsOutOfRangeAreRefused() {
    Eraser.Builder builder = facts.eraser(facts.removal("3"));
    LetheException e =
        assertThrows(LetheException.class, () -> builder.solver("magic").build());
    assertTrue(e.getMessage().contains("llmeraser-released"), e.getMessage());
    Eraser.Builder negative = facts.eraser(facts.removal("3")).damping(-1);
    assertThrows(LetheException.class, negative::build);
    Eraser.Builder none = facts.eraser(facts.removal("3")).outerSteps(0);
    assertThrows(LetheException.class, none::build);
    Eraser.Builder tooFew = facts.eraser(facts.removal("3")).certificateRows(-1);
    assertThrows(LetheException.class, tooFew::build);
    Eraser.Builder drawn = facts.eraser(facts.removal("3")).outerSteps(2).certificateRows(20);
    assertThrows(LetheException.class, drawn::build);
  }

  private static RetrainDistance distance(Eraser.Builder eraser, LoraAdapter retrained) {
    try (UnlearnResult result = run(eraser)) {
      Outputs rows = new Outputs(facts.model, facts.data, BatchLimits.DEFAULT);
      return RetrainDistance.of(
          rows,
          retrained,
          facts.model.adapter().theta(),
          result.adapter().theta(),
          retrained.theta());
    }
  }

  @Test
  void theReleasedProcedureStaysInItsBox() {
    UnlearnRequest request = facts.removal("3");
    try (UnlearnResult result = run(facts.eraser(request).solver("llmeraser-released"))) {
      double largest = 0;
      for (double value : result.step().delta().toDoubles()) {
        largest = Math.max(largest, Math.abs(value));
      }
      double box =
          ReleasedLlmEraser.START + ReleasedLlmEraser.ITERATIONS * ReleasedLlmEraser.LEARNING_RATE;
      assertTrue(largest <= 1.05 * box && largest > 0.5 * box, "largest " + largest);
      Certificate c = result.certificate();
      assertTrue(c.warnings().getFirst().contains("comparison only"), c.warnings().toString());
      assertEquals("hessian of single rows with dropout", c.system().curvature());
    }
  }

  private static UnlearnResult run(Eraser.Builder builder) {
    return builder.build().run(EraserMonitor.NONE);
  }
}
