package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.session.Interrupt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ctrl-C in the middle, then {@code --resume}: the same bytes as if nothing had happened. */
class InterruptTest {
  @TempDir private Path dir;
  private Workplace place;

  /** A user who loses patience when the work has asked a number of times. */
  private static final class Impatient extends Interrupt {
    private int looks;

    Impatient(int looks) {
      this.looks = looks;
    }

    @Override
    public boolean requested() {
      if (looks-- == 0) {
        request();
      }
      return super.requested();
    }
  }

  @BeforeEach
  void open() {
    place = new Workplace(dir);
  }

  private Object[] train(String out, Object... more) {
    Object[] base = {
      "train", "--model", place.model, "--data", place.data, "--out", place.at(out), "--device",
      "reference", "--rank", 2, "--lr", "0.01", "--epochs", 3, "--batch", 4, "--dropout", "0.1"
    };
    return Stream.concat(Arrays.stream(base), Arrays.stream(more)).toArray();
  }

  private Object[] unlearn(Path adapter, String out, Object... more) {
    Object[] base = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--forget",
      "row-2", "--out", place.at(out), "--device", "reference", "--damping", "0.01",
      "--tolerance", "1e-9"
    };
    return Stream.concat(Arrays.stream(base), Arrays.stream(more)).toArray();
  }

  private void sameBytes(String one, String other, String... names) throws IOException {
    for (String name : names) {
      String first = Workplace.stable(place.at(one).resolve(name));
      assertTrue(first.equals(Workplace.stable(place.at(other).resolve(name))), name);
    }
  }

  private void stopped(Ended ended, String out) {
    assertEquals(ExitCode.INTERRUPTED, ended.code(), ended::toString);
    assertTrue(ended.err().contains("--resume"), ended.err());
    assertTrue(ended.err().contains(out + ".unfinished"), ended.err());
    assertTrue(Files.notExists(place.at(out)), "the output is there already");
    assertTrue(Files.isDirectory(place.at(out + ".unfinished")));
  }

  @Test
  void trainingResumesToTheSameBytes() throws IOException {
    ok(train("whole"));
    stopped(Cli.run(new Impatient(4), train("parts")), "parts");
    Ended refused = Cli.run(train("parts"));
    assertEquals(ExitCode.FAILED, refused.code());
    assertTrue(refused.err().contains("--resume"), refused.err());
    stopped(Cli.run(new Impatient(3), train("parts", "--resume")), "parts");
    ok(train("parts", "--resume"));
    sameBytes(
        "whole",
        "parts",
        "adapter_model.safetensors",
        "adapter_config.json",
        "lethe_training.json",
        "lethe_adamw.safetensors",
        "lethe_log.jsonl",
        "lethe_trajectory/trajectory.json",
        "lethe_trajectory/gradients.bin",
        "lethe_trajectory/steps.jsonl");
    assertTrue(Files.notExists(place.at("parts.unfinished")));
  }

  @Test
  void resumingWithOtherOptionsIsRefused() {
    stopped(Cli.run(new Impatient(4), train("parts")), "parts");
    Ended ended = Cli.run(train("parts", "--resume", "--seed", 7));
    assertEquals(ExitCode.FAILED, ended.code());
    assertTrue(ended.err().contains("options"), ended.err());
  }

  @Test
  void unlearningResumesToTheSameBytes() throws IOException {
    Path adapter = place.adapter("adapter");
    ok(unlearn(adapter, "whole"));
    stopped(Cli.run(new Impatient(7), unlearn(adapter, "parts")), "parts");
    ok(unlearn(adapter, "parts", "--resume"));
    sameBytes("whole", "parts", "adapter_model.safetensors", "lethe_step.safetensors");
    assertTrue(Files.notExists(place.at("parts.unfinished")));
  }

  @Test
  void shortCommandsStopAndLeaveNothing() {
    Path adapter = place.adapter("adapter");
    List<Path> before = place.listing();
    Ended ended =
        Cli.run(
            new Impatient(0), "gradients", "--model", place.model, "--adapter", adapter, "--data",
            place.data, "--out", place.at("g.safetensors"), "--device", "reference");
    assertEquals(ExitCode.INTERRUPTED, ended.code(), ended::toString);
    assertEquals(before, place.listing());
  }
}
