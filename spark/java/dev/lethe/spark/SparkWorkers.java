package dev.lethe.spark;

import dev.lethe.LetheException;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.Shared;
import dev.lethe.nn.AdaptedModel;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.storage.BlockManagerId;
import scala.Tuple2;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag$;

/**
 * Executors as workers: a partition a part, in a job a call. A part goes back to the executor that had it before, where
 * its linearizations are; where that one is gone, to another, which makes them anew.
 */
final class SparkWorkers implements RowWorkers<AdaptedModel> {
  private static final String PARTS = "spark.lethe.parts";

  private final JavaSparkContext spark;
  private final ExecutorModel model;
  private final Map<Shared<?>, String> places = new WeakHashMap<>();

  SparkWorkers(JavaSparkContext spark, ExecutorModel model) {
    this.spark = spark;
    this.model = model;
  }

  private record Sent<T>(Broadcast<T> value) implements Shared<T> {
    @Override
    public T get() {
      return value.value();
    }

    @Override
    public void close() {
      value.destroy(false);
    }
  }

  /** A result, and the place of the executor that it comes from, as Spark's schedulers write it. */
  private record Done<R extends Serializable>(R result, String place) implements Serializable {}

  /** A task on whichever executor gets the part. */
  private record OnExecutor<P extends Serializable, R extends Serializable>(
      ExecutorModel model, RowTask<AdaptedModel, P, R> task) implements Function<Shared<P>, Done<R>> {
    @Override
    public Done<R> call(Shared<P> part) {
      RowWorker<AdaptedModel> worker = model.worker();
      synchronized (worker) {
        BlockManagerId here = SparkEnv.get().blockManager().blockManagerId();
        return new Done<>(
            task.run(worker, part.get()), "executor_" + here.host() + "_" + here.executorId());
      }
    }
  }

  @Override
  public int count() {
    int cpus = spark.getConf().getInt("spark.task.cpus", 1);
    return spark.getConf().getInt(PARTS, Math.max(1, spark.defaultParallelism() / cpus));
  }

  @Override
  public <T extends Serializable> Shared<T> share(T value) {
    return new Sent<>(spark.broadcast(value));
  }

  @Override
  public <P extends Serializable, R extends Serializable> List<R> run(
      List<Shared<P>> parts, RowTask<AdaptedModel, P, R> task) {
    List<Done<R>> done;
    try {
      done = placed(parts).map(new OnExecutor<>(model, task)).collect();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Exception e) { // SparkException is checked and undeclared: Scala has no checked ones
      throw refusal((SparkException) e);
    }
    List<R> results = new ArrayList<>();
    for (int i = 0; i < parts.size(); i++) {
      places.put(parts.get(i), done.get(i).place);
      results.add(done.get(i).result);
    }
    return results;
  }

  /** One partition a part, each with the place that had it before. */
  private <P> JavaRDD<Shared<P>> placed(List<Shared<P>> parts) {
    List<Tuple2<Shared<P>, Seq<String>>> each =
        parts.stream().map(part -> new Tuple2<>(part, place(part))).toList();
    return JavaRDD.fromRDD(
        spark.sc().makeRDD(seq(each), ClassTag$.MODULE$.apply(Shared.class)),
        ClassTag$.MODULE$.apply(Shared.class));
  }

  private Seq<String> place(Shared<?> part) {
    String place = places.get(part);
    return seq(place == null ? List.of() : List.of(place));
  }

  private static <T> Seq<T> seq(List<T> list) {
    return CollectionConverters.asScala(list).toList();
  }

  /** What an executor refused, in its own words; otherwise what Spark says. */
  private static RuntimeException refusal(SparkException e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof LetheException refusal) {
        return refusal;
      }
    }
    return new LetheException(
        "Spark", "the job failed", "results of all partitions", e.getMessage(),
        "See the executors' logs; run the command again with --resume where it takes that.");
  }

  @Override
  public void close() {}
}
