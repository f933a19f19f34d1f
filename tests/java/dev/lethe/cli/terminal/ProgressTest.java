package dev.lethe.cli.terminal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private static final long SECOND = 1_000_000_000L;

  private final AtomicLong now = new AtomicLong(5 * SECOND);
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8);

  private String written() {
    return bytes.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }

  @Test
  void saysNothingAboutShortWork() {
    try (Progress progress = Progress.withClock(out, false, now::get);
        Progress.Task task = progress.start("train", 10, "steps")) {
      now.addAndGet(SECOND);
      task.done(9);
    }
    assertEquals("", written());
  }

  @Test
  void aPlainLineEveryTenSecondsAndOneAtTheEnd() {
    try (Progress progress = Progress.withClock(out, false, now::get);
        Progress.Task task = progress.start("train", 100, "steps")) {
      for (int i = 1; i <= 30; i++) {
        now.addAndGet(SECOND);
        task.done(2 * i, "loss 1.5");
      }
    }
    assertEquals(
        List.of(
            "train 4/100 steps  2.0/s  48 s left  loss 1.5",
            "train 24/100 steps  2.0/s  38 s left  loss 1.5",
            "train 44/100 steps  2.0/s  28 s left  loss 1.5",
            "train: 60 steps in 30 s  loss 1.5"),
        written().lines().toList());
  }

  @Test
  void aTerminalsLineUpdatesInPlace() {
    try (Progress progress = Progress.withClock(out, true, now::get);
        Progress.Task task = progress.start("solve", 0, "iterations")) {
      now.addAndGet(4 * SECOND);
      task.done(1);
      now.addAndGet(4 * SECOND);
      task.done(2);
      progress.say("a message");
    }
    assertEquals(
        "\r\u001b[Ksolve 1 iterations  4.0 s each"
            + "\r\u001b[Ksolve 2 iterations  4.0 s each"
            + "\r\u001b[Ka message\n"
            + "\r\u001b[Ksolve: 2 iterations in 8.0 s\n",
        written());
  }

  @Test
  void timesAsPeopleSayThem() {
    assertEquals(
        List.of("0.42 s", "3.2 s", "35 s", "1m42s", "1h02m"),
        List.of(
            Progress.duration(0.42),
            Progress.duration(3.2),
            Progress.duration(35.4),
            Progress.duration(102),
            Progress.duration(3725)));
  }

  @Test
  void movesInsideABatchAndLearnsWhatAUnitTakes() {
    try (Progress progress = Progress.withClock(out, true, now::get);
        Progress.Task task = progress.start("product", 20, "rows", 4)) {
      now.addAndGet(4 * SECOND);
      progress.onOperation(1, 2, 8);
      assertLast("product 1.0/20 rows  4.0 s each  1m16s left");
      progress.onOperation(2, 2, 8);
      now.addAndGet(4 * SECOND);
      progress.onOperation(1, 4, 8);
      assertLast("product 2.5/20 rows  3.2 s each  56 s left");
      progress.onOperation(4, 4, 8);
      task.done(8);
      assertLast("product 8/20 rows  1.0/s  12 s left");
      progress.onOperation(1, 2, 6);
      assertLast("product 9.5/20 rows  1.2/s  8.8 s left");
    }
  }

  @Test
  void neverShowsMoreThanThereIs() {
    try (Progress progress = Progress.withClock(out, true, now::get);
        Progress.Task task = progress.start("product", 8, "rows", 1)) {
      now.addAndGet(4 * SECOND);
      for (int pass = 0; pass < 5; pass++) {
        progress.onOperation(2, 2, 8);
      }
      assertLast("product 7.9/8 rows  2.0/s  0.00 s left");
      task.done(8);
    }
    assertEquals("product: 8 rows in 4.0 s", lines().getLast());
  }

  @Test
  void oneIsSingular() {
    try (Progress progress = Progress.withClock(out, false, now::get);
        Progress.Task task = progress.start("influence", 2, "queries")) {
      now.addAndGet(4 * SECOND);
      task.done(1);
    }
    assertEquals("influence: 1 query in 4.0 s", lines().getLast());
  }

  private void assertLast(String line) {
    assertEquals(line, lines().getLast());
  }

  private List<String> lines() {
    return written().replace("\u001b[K", "").replace("\r", "\n").lines().toList();
  }
}
