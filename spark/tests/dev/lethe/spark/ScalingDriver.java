package dev.lethe.spark;

import com.sun.management.OperatingSystemMXBean;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.Shared;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.Serializable;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * A driver that times Gauss-Newton products at kept linearizations on one and on two executors, in turns: a line a
 * round, with the seconds of both and the processor seconds of this process in both.
 */
public final class ScalingDriver {
  private static final int WARM_UP = 2;
  private static final int ROUNDS = 5;
  private static final long PATIENCE_MILLIS = 100;
  private static final BatchLimits LIMITS = new BatchLimits(8, 256);

  private ScalingDriver() {}

  /** Work divided into so many parts. */
  private record Parts(RowWorkers<AdaptedModel> all, int count) implements RowWorkers<AdaptedModel> {
    @Override
    public <T extends Serializable> Shared<T> share(T value) {
      return all.share(value);
    }

    @Override
    public <P extends Serializable, R extends Serializable> List<R> run(
        List<Shared<P>> parts, RowTask<AdaptedModel, P, R> task) {
      return all.run(parts, task);
    }

    @Override
    public void close() {}
  }

  /** A product's seconds: by the clock, and of this process's processors. */
  private record Seconds(double wall, double cpu) {}

  /** Model, adapter, data, output. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Path model = Path.of(args[0]);
    Path adapter = Path.of(args[1]);
    try (JavaSparkContext spark = new JavaSparkContext(new SparkConf());
        Session session = Session.open(model, "cpu")) {
      AdaptedModel adapted = session.adapted(adapter);
      List<Sample> rows = session.samples(Path.of(args[2]));
      while (spark.sc().statusTracker().getExecutorInfos().length < 3) { // the driver is one
        Thread.sleep(PATIENCE_MILLIS);
      }
      SparkWorkers workers = new SparkWorkers(spark, ExecutorModel.of(model, adapter, adapted, 1));
      try (CurvatureOperator one = products(adapted, rows, new Parts(workers, 1));
          CurvatureOperator two = products(adapted, rows, new Parts(workers, 2))) {
        Files.write(Path.of(args[3]), rounds(adapted, one, two));
      }
    }
    System.exit(0);
  }

  private static CurvatureOperator products(
      AdaptedModel adapted, List<Sample> rows, RowWorkers<AdaptedModel> workers) {
    AdaptedModel model = adapted.alone();
    model.shareWith(workers);
    DatasetLoss loss = new DatasetLoss(model, rows, LIMITS);
    return Curvature.GGN.over(
        loss, adapted.adapter().theta(), rows.size(), MemoryBudget.automatic(adapted.backend()), 0);
  }

  private static List<String> rounds(AdaptedModel adapted, CurvatureOperator one, CurvatureOperator two) {
    List<String> lines = new ArrayList<>();
    Backend backend = adapted.backend();
    try (Scope scope = backend.openScope("scaling")) {
      Tensor v = scope.allocate(backend.vectorType(), 1, adapted.layout().size());
      Tensor out = scope.allocate(backend.vectorType(), 1, adapted.layout().size());
      backend.vectors().fill(v, 1);
      for (int round = -WARM_UP; round < ROUNDS; round++) {
        boolean first = round % 2 == 0;
        Seconds a = time(first ? one : two, v, out);
        Seconds b = time(first ? two : one, v, out);
        if (round >= 0) {
          Seconds alone = first ? a : b;
          Seconds both = first ? b : a;
          lines.add(Text.format("%.4f %.4f %.4f %.4f", alone.wall, both.wall, alone.cpu, both.cpu));
        }
      }
    }
    return lines;
  }

  private static Seconds time(CurvatureOperator c, Tensor v, Tensor out) {
    OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    long cpu = system.getProcessCpuTime();
    long wall = System.nanoTime();
    c.apply(v, out);
    return new Seconds((System.nanoTime() - wall) * 1e-9, (system.getProcessCpuTime() - cpu) * 1e-9);
  }
}
