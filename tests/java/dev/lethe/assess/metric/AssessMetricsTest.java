package dev.lethe.assess.metric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.assess.record.Curve;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The measures against the libraries that the benchmarks use, and against numbers worked out by hand. */
class AssessMetricsTest {
  private static final JsonNode GOLDEN =
      StrictJson.read(Path.of("tests", "resources", "golden", "assess", "metrics.json"), 1 << 20);
  private static final Bootstrap BOOTSTRAP = new Bootstrap(500, 1);

  @Test
  void stemsAreThoseOfNltk() {
    List<String> wrong = new ArrayList<>();
    JsonNode stems = GOLDEN.path("stems");
    for (String word : stems.propertyNames()) {
      String stem = PorterStemmer.stem(word);
      if (!stem.equals(stems.path(word).stringValue())) {
        wrong.add(word + " → " + stem + ", not " + stems.path(word).stringValue());
      }
    }
    assertTrue(stems.size() > 1000);
    assertEquals(List.of(), wrong);
  }

  @Test
  void rougeIsThatOfRougeScore() {
    for (JsonNode row : GOLDEN.path("rouge")) {
      Rouge rouge = Rouge.l(row.path("truth").stringValue(), row.path("guess").stringValue());
      assertEquals(row.path("recall").asDouble(), rouge.recall(), 1e-15, row::toString);
      assertEquals(row.path("precision").asDouble(), rouge.precision(), 1e-15, row::toString);
    }
    assertEquals(2.0 / 3, new Rouge(1, 0.5).f1(), 1e-15);
    assertEquals(0, new Rouge(0, 0).f1());
  }

  @Test
  void zippedSizesAreThoseOfPython() {
    JsonNode sizes = GOLDEN.path("zlib");
    for (String text : sizes.propertyNames()) {
      assertEquals(sizes.path(text).asInt(), Zlib.compressedBytes(text), text);
    }
    assertEquals(-2.0 / Zlib.compressedBytes("yes"), Zlib.score(2, "yes"), 1e-15);
  }

  @Test
  void minKAndMarginsAreThoseOfNumpy() {
    for (JsonNode row : GOLDEN.path("minK")) {
      TokenScores scores =
          new TokenScores(
              numbers(row.path("logProbability")), numbers(row.path("mean")), numbers(row.path("variance")));
      assertEquals(row.path("minK").asDouble(), MinK.prob(scores, 0.4), 1e-12);
      assertEquals(row.path("minKPlusPlus").asDouble(), MinK.plusPlus(scores, 0.4), 1e-12);
      assertEquals(row.path("margin").asDouble(), scores.margin(), 1e-9);
      assertEquals(-Arrays.stream(scores.logProbability()).average().orElseThrow(), scores.loss(), 1e-12);
    }
  }

  @Test
  void quantilesAreThoseOfNumpy() {
    double[] sorted = Arrays.stream(numbers(GOLDEN.path("quantile").path("values"))).sorted().toArray();
    assertEquals(GOLDEN.path("quantile").path("low").asDouble(), Bootstrap.quantile(sorted, 0.025), 1e-14);
    assertEquals(GOLDEN.path("quantile").path("high").asDouble(), Bootstrap.quantile(sorted, 0.975), 1e-14);
  }

  @Test
  void aBootstrapIntervalHasTheWidthOfTheNormalOne() {
    double[] values = new double[200];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 2;
    }
    Estimate mean = new Bootstrap(4000, 7).mean(values);
    double error = 0.5 / Math.sqrt(values.length);
    assertEquals(0.5, mean.value(), 1e-15);
    assertEquals(0.5 - 1.96 * error, mean.low(), 0.01);
    assertEquals(0.5 + 1.96 * error, mean.high(), 0.01);
    assertEquals(mean, new Bootstrap(4000, 7).mean(values), "same seed, same interval");
    Estimate few = BOOTSTRAP.mean(new double[] {1, 2, 3});
    assertEquals(2, few.value(), 1e-15);
    assertFalse(few.hasInterval());
    assertTrue(few.note().contains("fewer than 8 rows"));
  }

  @Test
  void closureByHand() {
    double[] before = {1, 2, 3, 4, 1, 2, 3, 4};
    double[] after = {0.1, 0.2, 0.3, 0.4, 0.1, 0.2, 0.3, 0.4};
    Estimate closed = Closure.of(after, before, BOOTSTRAP);
    assertEquals(0.9, closed.value(), 1e-15);
    assertEquals(0.9, closed.low(), 1e-12, "each row is closed alike");
    assertEquals(-1, Closure.of(new double[] {4}, new double[] {2}, BOOTSTRAP).value(), 1e-15);
    Estimate nothing = Closure.of(new double[] {1e-9}, new double[] {1e-9}, BOOTSTRAP);
    assertFalse(nothing.exists());
    assertTrue(nothing.note().contains("nothing to close"));
  }

  @Test
  void theRelativeTestCountsSigns() {
    double[] toOriginal = {3, 2, 2};
    double[] toRetrained = {1, 1, 1};
    RelativeTest test = RelativeTest.of(toOriginal, toRetrained, 1);
    assertEquals(4.0 / 3, test.meanDifference(), 1e-15);
    assertEquals(1.0 / 8, test.pValue(), 1e-15, "of 2³ signs only the observed ones sum to 4");
    RelativeTest other = RelativeTest.of(new double[] {2, 0, 3}, new double[] {1, 1, 1}, 1);
    assertEquals(3.0 / 8, other.pValue(), 1e-15, "+1 −1 +2: sums 4, 2, 2 of 8 reach 2");
    double[] none = new double[40];
    assertEquals(1, RelativeTest.of(none, none, 1).pValue(), 1e-15);
    double[] far = new double[40];
    Arrays.fill(far, 1);
    assertEquals(RelativeTest.smallest(40), RelativeTest.of(far, none, 1).pValue(), 1e-15);
  }

  @Test
  void klomByHand() {
    assertEquals(0, Klom.of(new double[] {1, 2, 3}, new double[] {3, 1, 2}), 1e-15);
    assertEquals(0, Klom.of(new double[] {2, 2}, new double[] {2}), 1e-15);
    double half = Klom.of(new double[] {0, 0, 1, 1}, new double[] {0, 1, 1, 1});
    assertEquals(0.5 * Math.log(0.5 / 0.25) + 0.5 * Math.log(0.5 / 0.75), half, 1e-12);
    double apart = Klom.of(new double[] {0, 0}, new double[] {1, 1});
    assertEquals(Math.log(1 / 1e-5), apart, 1e-12);
    assertEquals(0, Klom.margin(Math.log(0.5)), 1e-12);
    assertEquals(100, Klom.margin(0), 1e-12);
    assertEquals(-100, Klom.margin(-1e6), 1e-12);
  }

  @Test
  void exposureByHand() {
    double[] members = {5, 6, 7, 8, 9, 10, 11, 12};
    double[] others = {1, 2, 3, 4, 5.5, 6.5, 7.5, 8.5};
    double won = 0;
    for (double m : members) {
      for (double o : others) {
        won += m > o ? 1 : 0;
      }
    }
    Estimate auc = Exposure.auc(members, others, BOOTSTRAP);
    assertEquals(won / 64, auc.value(), 1e-15);
    assertTrue(auc.low() < auc.value() && auc.value() < auc.high());
    double[] zeros = new double[8];
    Estimate leak = Exposure.privLeak(members, others, zeros, zeros, BOOTSTRAP);
    assertEquals(100 * (0.5 - won / 64) / 0.5, leak.value(), 1e-12, "the retrained AUC is one half");
    assertTrue(leak.value() < 0, "below zero: the rows still show");
    assertFalse(Exposure.privLeak(zeros, zeros, members, zeros, BOOTSTRAP).exists());
  }

  @Test
  void aCurveGoesFromCornerToCorner() {
    Curve curve = Curve.of("x", new double[] {3, 2}, new double[] {2, 1});
    assertArrayEquals(new double[] {0, 0, 0.5, 1}, curve.falseShare());
    assertArrayEquals(new double[] {0, 0.5, 1, 1}, curve.trueShare());
  }

  @Test
  void utilityAndChoicesByHand() {
    assertEquals(9 / (8 + 1 / 0.1), ModelUtility.of(1, 1, 1, 1, 1, 1, 1, 1, 0.1), 1e-15);
    assertEquals(0, ModelUtility.of(1, 1, 1, 1, 1, 1, 1, 1, 0));
    assertEquals(0.25, ModelUtility.knowing(0.75), 1e-15);
    assertEquals(0, ModelUtility.knowing(3));
    assertEquals(0.5 / (0.5 + 0.25 + 0.25), ChoiceProbability.of(Math.log(2), Math.log(4), Math.log(4)), 1e-15);
  }

  private static double[] numbers(JsonNode array) {
    double[] values = new double[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asDouble();
    }
    return values;
  }
}
