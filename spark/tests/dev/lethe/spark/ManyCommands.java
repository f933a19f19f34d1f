package dev.lethe.spark;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * A driver that runs the commands of a file one after another, words between tabs. Ends with the first code that is
 * not 0.
 */
public final class ManyCommands {
  private ManyCommands() {}

  public static void main(String[] args) throws IOException {
    int code = 0;
    try (JavaSparkContext spark = new JavaSparkContext(new SparkConf())) {
      for (String line : Files.readAllLines(Path.of(args[0]))) {
        code = code == 0 ? Main.run(spark, line.split("\t")) : code;
      }
    }
    System.exit(code);
  }
}
