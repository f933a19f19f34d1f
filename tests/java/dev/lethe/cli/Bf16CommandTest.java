package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.cli.Cli.Ended;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** {@code --device cpu --dtype bf16}: it computes and says that it rounds, or refuses and says why. */
final class Bf16CommandTest {
  @Test
  void evaluatesNearFloat32OrRefuses(@TempDir Path dir) {
    Workplace place = new Workplace(dir);
    Ended narrow = evaluate(place, "bf16");
    if (narrow.code() == ExitCode.ENVIRONMENT) {
      assertTrue(narrow.err().contains("no products in bfloat16"), narrow::toString);
      assertEquals("", narrow.out());
      return;
    }
    assertEquals(ExitCode.DONE, narrow.code(), narrow::toString);
    assertTrue(narrow.err().contains("relative error up to 2^-8"), narrow::toString);
    double expected = loss(evaluate(place, "f32"));
    assertEquals(expected, loss(narrow), 2e-2 * expected);
  }

  @Test
  void doctorSaysWhetherItWorks() {
    Ended ended = Cli.run("doctor");
    assertTrue(ended.out().contains("cpu bf16"), ended::toString);
  }

  private static Ended evaluate(Workplace place, String type) {
    return Cli.run(
        "evaluate", "--model", place.model, "--data", place.data, "--device", "cpu", "--dtype", type);
  }

  private static double loss(Ended ended) {
    JsonNode last = StrictJson.parse(ended.lines().getLast(), "the last line");
    return last.get("mean_loss").asDouble();
  }
}
