package dev.lethe.spark;

import dev.lethe.cli.terminal.Console;
import dev.lethe.session.Interrupt;
import dev.lethe.session.Sharing;
import java.util.Locale;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Runs one of Lethe's commands on Spark: {@code spark-submit --class dev.lethe.spark.Main lethe-spark.jar unlearn …},
 * with the options of the command line. What is a sum over rows, or is made row by row, is shared out to the executors.
 */
public final class Main {
  private static final String THREADS = "spark.lethe.threads";

  private Main() {}

  /** Runs a command and exits with its code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT);
    SparkConf conf = new SparkConf();
    conf.setIfMissing("spark.app.name", "lethe " + (args.length == 0 ? "" : args[0]));
    int code;
    try (JavaSparkContext spark = new JavaSparkContext(conf)) {
      code = run(spark, args);
    }
    System.exit(code);
  }

  /** Runs a command on a cluster. */
  static int run(JavaSparkContext spark, String... args) {
    int threads = spark.getConf().getInt(THREADS, 0);
    Sharing sharing =
        (model, adapter, here) ->
            new SparkWorkers(spark, ExecutorModel.of(model, adapter, here, threads));
    Console console = new Console(System.out, System.err, false, new Interrupt(), sharing);
    return dev.lethe.cli.Main.run(args, console);
  }
}
