package dev.lethe.replay;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.util.ArrayList;
import java.util.List;

/** A training log on the Java heap. */
public final class MemoryLog implements TrainingLog {
  private final TrainOptions options;
  private final List<LoggedRow> rows;
  private final Tensor initial;
  private final List<LoggedStep> steps = new ArrayList<>();
  private final List<Tensor> gradients = new ArrayList<>();

  public MemoryLog(TrainOptions options, List<LoggedRow> rows, Tensor initial) {
    this.options = options;
    this.rows = rows;
    this.initial = initial;
  }

  public void add(LoggedStep step, double[] gradient) {
    steps.add(step);
    gradients.add(Tensor.of(Shape.of(gradient.length), gradient));
  }

  /** The same log with every gradient rounded to bfloat16. */
  MemoryLog inBf16() {
    MemoryLog rounded = new MemoryLog(options, rows, initial);
    for (int k = 0; k < steps(); k++) {
      double[] g = gradients.get(k).toDoubles();
      for (int i = 0; i < g.length; i++) {
        int bits = Float.floatToRawIntBits((float) g[i]);
        g[i] = Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
      }
      rounded.add(steps.get(k), g);
    }
    return rounded;
  }

  @Override
  public TrainOptions options() {
    return options;
  }

  @Override
  public List<LoggedRow> rows() {
    return rows;
  }

  @Override
  public Tensor initial() {
    return initial;
  }

  @Override
  public int steps() {
    return steps.size();
  }

  @Override
  public LoggedStep step(int k) {
    return steps.get(k);
  }

  @Override
  public Tensor gradient(int k) {
    return gradients.get(k);
  }
}
