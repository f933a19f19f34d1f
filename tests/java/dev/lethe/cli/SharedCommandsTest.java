package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.ThreadWorkers;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Interrupt;
import dev.lethe.session.Session;
import dev.lethe.session.Sharing;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Preparation and recorded replay shared out by a console to copies of the model on threads: the bytes of one. */
class SharedCommandsTest {
  @TempDir static Path dir;

  private static Sharing among(int workers) {
    return (model, adapter, here) ->
        new ThreadWorkers<>(
            IntStream.range(0, workers)
                .<Supplier<RowWorker<AdaptedModel>>>mapToObj(i -> () -> open(model, adapter))
                .toList());
  }

  private static RowWorker<AdaptedModel> open(Path model, Path adapter) {
    Session session = Session.open(model, Backends.select("cpu", new BackendOptions(1)));
    return new RowWorker<>(session.adapted(adapter), session);
  }

  private static void shared(int workers, Object... words) {
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    PrintStream out = new PrintStream(said, true, StandardCharsets.UTF_8);
    String[] command = Stream.of(words).map(Object::toString).toArray(String[]::new);
    int code = Main.run(command, new Console(out, out, false, new Interrupt(), among(workers)));
    assertEquals(ExitCode.DONE, code, () -> said.toString(StandardCharsets.UTF_8));
  }

  private static void requireSame(Path expected, Path got) throws IOException {
    assertEquals(-1, Files.mismatch(expected, got), got.toString());
  }

  @Test
  void preparationAndReplay() throws IOException {
    Workplace place = new Workplace(dir);
    Path adapter = place.adapter("adapter", "--trajectory", "on");
    Object[] prepare = {
      "prepare", "--model", place.model, "--adapter", adapter, "--data", place.data, "--device", "cpu", "--threads", 1,
      "--sketch-rows", 24, "--operators"
    };
    Object[] unlearn = {
      "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--device", "cpu", "--threads", 1,
      "--forget", "row-3,row-7", "--method", "recorded", "--force", "--operators", dir.resolve("operators-0"), "--out"
    };
    Workplace.ok(with(prepare, dir.resolve("operators-0")));
    Workplace.ok(with(unlearn, dir.resolve("out-0")));
    for (int workers = 1; workers <= 3; workers++) {
      Path operators = dir.resolve("operators-" + workers);
      Path out = dir.resolve("out-" + workers);
      shared(workers, with(prepare, operators));
      shared(workers, with(unlearn, out));
      try (Stream<Path> files = Files.list(dir.resolve("operators-0"))) {
        for (Path file : files.toList()) {
          requireSame(file, operators.resolve(file.getFileName()));
        }
      }
      requireSame(dir.resolve("out-0/adapter_model.safetensors"), out.resolve("adapter_model.safetensors"));
    }
  }

  private static Object[] with(Object[] words, Object last) {
    return Stream.concat(Stream.of(words), Stream.of(last)).toArray();
  }
}
