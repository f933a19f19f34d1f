package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Schedule;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Representation misdirection: with h what leaves the first layers, minimises γ·mean (h − c u)² on forgotten rows +
 * α·mean (h − h₀)² on retained ones; u is a random unit vector of positive entries, h₀ the original adapter's states.
 * All adapters in these layers change; the paper changes three layers' down projections.
 */
record Rmu(Settings settings) implements DescentBaseline {
  static final String NAME = "rmu";

  /** RMU for Zephyr-7B in arXiv 2403.03218: c 6.5, α 1200, rate 5e-5, 150 batches of 4, the 8th of 32 layers. */
  static final List<Setting> OWN =
      List.of(
          Setting.positive("lr", 5e-5, "learning rate"),
          Setting.count("steps", 150, 1, "steps"),
          Setting.count("batch", 4, 1, "forgotten rows a step, and retained rows a step"),
          Setting.weight("weight-decay", 0.01, "of AdamW"),
          Setting.weight("warmup-epochs", 0, "epochs in which the rate rises"),
          Setting.weight("clip", 0, "largest norm of a step's gradient; 0: no limit"),
          Setting.weight("steering", 6.5, "c, the length of the forgotten rows' target"),
          Setting.weight("forget-weight", 1, "γ, of the forgotten rows' part"),
          Setting.weight("retain-weight", 1200, "α, of the retained rows' part"),
          Setting.count("layers", 0, 0, "how many layers from below; 0: a quarter of all"));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "turns the hidden states of forgotten rows away and keeps those of retained ones (RMU; Li et al., arXiv"
        + " 2403.03218)";
  }

  @Override
  public Descent descent(BaselineWork work) {
    return new Descent(work, settings, Schedule.CONSTANT, settings.count("steps"));
  }

  @Override
  public Descent.Objective objective(BaselineWork work, Tensor original) {
    int layers = layers(work);
    HiddenTargets away = HiddenTargets.everywhere(direction(work));
    Forgotten forgotten = new Forgotten(work);
    return (places, retained, theta, g) -> {
      work.addHiddenGradient(forgotten.at(places), layers, away, theta, settings.number("forget-weight"), g);
      HiddenTargets kept = HiddenTargets.of(work.hidden(retained, layers, original));
      work.addHiddenGradient(retained, layers, kept, theta, settings.number("retain-weight"), g);
    };
  }

  private int layers(BaselineWork work) {
    int all = work.model().model().spec().layers();
    int lowest = work.model().lowestAdaptedLayer();
    int asked = settings.count("layers");
    int layers = asked == 0 ? Math.max(lowest + 1, Math.ceilDiv(all, 4)) : asked;
    if (layers > all || layers <= lowest) {
      throw new LetheException(
          "--method " + NAME, "no adapter is in these layers", lowest + 1 + " to " + all + " layers",
          Integer.toString(layers), "Pass another number with --set layers=N.");
    }
    return layers;
  }

  private double[] direction(BaselineWork work) {
    SplittableRandom random = new SplittableRandom(work.task().seed());
    double[] u = random.doubles(work.model().model().spec().hidden()).toArray();
    double square = 0;
    for (double each : u) {
      square += each * each;
    }
    double scale = settings.number("steering") / Math.sqrt(square);
    for (int i = 0; i < u.length; i++) {
      u[i] *= scale;
    }
    return u;
  }
}
