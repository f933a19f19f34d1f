package dev.lethe.assess;

import dev.lethe.assess.metric.MinK;
import dev.lethe.assess.metric.Zlib;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.tokenizer.Tokenizer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Membership scores of rows under an adapter, higher for rows that look trained on: the loss (Yeom et al., arXiv
 * 1709.01604), the loss over the size of the zipped answer, Min-K% and Min-K%++ with 40 % as in open-unlearning, the loss
 * compared with that of the base model (Carlini et al., arXiv 2112.03570), and the norm of the adapter's gradient (arXiv
 * 2402.17012).
 */
final class Attacks {
  static final String MIN_K = "min-k";

  private static final double SHARE = 0.4;

  private final Subject base;
  private final Tokenizer tokenizer;
  private final BatchLimits limits;

  /**
   * @param tokenizer null where the model has none; then nothing is zipped
   */
  Attacks(Subject base, Tokenizer tokenizer, BatchLimits limits) {
    this.base = base;
    this.tokenizer = tokenizer;
    this.limits = limits;
  }

  /** The scores of each attack, in the order of the rows. */
  Map<String, double[]> scores(Reading reading, Subject subject) {
    Map<String, double[]> scores = new LinkedHashMap<>();
    double[] losses = reading.losses(subject);
    scores.put("loss", negative(losses));
    if (tokenizer != null) {
      scores.put("zlib", zlib(reading, losses));
    }
    scores.put(MIN_K, reading.of(subject, row -> MinK.prob(row.tokens(), SHARE)));
    scores.put("min-k++", reading.of(subject, row -> MinK.plusPlus(row.tokens(), SHARE)));
    double[] reference = reading.losses(base);
    for (int i = 0; i < reference.length; i++) {
      reference[i] -= losses[i];
    }
    scores.put("reference", reference);
    scores.put("gradient norm", negative(gradientNorms(reading, subject)));
    return scores;
  }

  private double[] zlib(Reading reading, double[] losses) {
    double[] scores = new double[losses.length];
    for (int i = 0; i < scores.length; i++) {
      Sample sample = reading.group().samples().get(i);
      scores[i] = Zlib.score(losses[i], tokenizer.decode(sample.targets()));
    }
    return scores;
  }

  private double[] gradientNorms(Reading reading, Subject subject) {
    double[] norms = new double[reading.group().samples().size()];
    new DatasetLoss(subject.model(), reading.group().samples(), limits)
        .perSample(
            subject.theta(),
            (first, gradients) -> {
              for (int i = 0; i < gradients.dim(0); i++) {
                norms[first + i] = subject.model().backend().vectors().norm(gradients.row(i));
              }
            });
    return norms;
  }

  private static double[] negative(double[] values) {
    double[] negative = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      negative[i] = -values[i];
    }
    return negative;
  }
}
