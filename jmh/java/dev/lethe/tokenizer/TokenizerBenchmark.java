package dev.lethe.tokenizer;

import dev.lethe.jmh.Counters;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Claim: a row of text becomes tokens in a small part of the time that its gradient takes. */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 700, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
@State(Scope.Benchmark)
public class TokenizerBenchmark {
  private static final String ROW =
      "What is the full name of the author born in Taipei, Taiwan on 05/11/1991 who writes in the genre"
          + " of leadership? The author's full name is Hsiao Yun-Hwa. ";

  /** A folder with tokenizer.json; by default the tests' small one. */
  @Param("tests/resources/tiny_tokenizer")
  public String folder;

  private HfTokenizer tokenizer;
  private int[] ids;

  @Setup
  public void open() {
    tokenizer = HfTokenizer.open(Path.of(folder));
    ids = tokenizer.encode(ROW, true);
  }

  @TearDown
  public void close() {
    tokenizer.close();
  }

  @Benchmark
  public int[] encode(Counters.Tokens work) {
    work.tokens += ids.length;
    return tokenizer.encode(ROW, true);
  }

  @Benchmark
  public String decode(Counters.Tokens work) {
    work.tokens += ids.length;
    return tokenizer.decode(ids);
  }
}
