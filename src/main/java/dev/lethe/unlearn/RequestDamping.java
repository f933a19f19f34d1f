package dev.lethe.unlearn;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainingRecord;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The damping that stands for training that stopped early, for one request. K steps of AdamW at
 * rates ηₖ leave a direction of curvature c and gradient size √v̂ undone by about 1/(1 + cΣη/√v̂),
 * as a damping of √v̂/Ση does. Parameters differ widely in √v̂, so λ is its mean weighted by b²:
 * what the request is about decides. With one weight for all it is {@link
 * TrainingRecord#autoDamping}.
 */
final class RequestDamping {
  private final double[] secondMoment;
  private final double learningRateSum;

  private RequestDamping(double[] secondMoment, double learningRateSum) {
    this.secondMoment = secondMoment;
    this.learningRateSum = learningRateSum;
  }

  /** Reads v̂ beside an adapter; null where the training left none that fits. */
  static RequestDamping read(Path adapterDir, TrainingRecord record, ParameterLayout layout) {
    Path file = adapterDir.resolve(TrainingRecord.MOMENTS);
    if (record.optimizer() != OptimizerKind.ADAMW || record.steps() == 0 || !Files.exists(file)) {
      return null;
    }
    double correction = 1 - Math.pow(record.options().beta2(), record.steps());
    Tensor v = HostTensors.zeros(DType.F64, layout.size());
    try (SafeTensors moments = SafeTensors.open(file)) {
      for (ParameterLayout.Parameter p : layout.parameters()) {
        Tensor part = moments.get(TrainingRecord.SECOND_MOMENT + p.name());
        v.section(p.offset(), p.shape()).copyFrom(part);
      }
    }
    double[] values = v.toDoubles();
    for (int i = 0; i < values.length; i++) {
      values[i] /= correction;
    }
    return new RequestDamping(values, record.learningRateSum());
  }

  /** λ = (Σ bᵢ²√v̂ᵢ / Σ bᵢ²) / Ση for a host vector b (P); 0 where b is 0. */
  double of(Tensor b) {
    double weighted = 0;
    double square = 0;
    for (int i = 0; i < secondMoment.length; i++) {
      double weight = b.get(i) * b.get(i);
      weighted += weight * Math.sqrt(secondMoment[i]);
      square += weight;
    }
    return square == 0 ? 0 : weighted / square / learningRateSum;
  }
}
