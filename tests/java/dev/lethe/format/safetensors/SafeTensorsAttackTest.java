package dev.lethe.format.safetensors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;

/** Every file of the attack corpus is refused in its own way; make_attacks.py says what each is. */
class SafeTensorsAttackTest {
  private static final Path ATTACKS = Refusals.resource("attacks");

  @ParameterizedTest(name = "{0}")
  @CsvFileSource(files = "tests/resources/attacks/expected.csv")
  void isRefused(String name, Kind kind) {
    Path file = ATTACKS.resolve(name + ".safetensors");
    FormatException e = Refusals.refusal(kind, () -> SafeTensors.open(file).close());
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    assertTrue(e.getMessage().length() < 600, "the complaint repeats the attack's contents");
  }

  @Test
  void everyFileHasAnExpectation() throws IOException {
    List<String> lines = Files.readAllLines(ATTACKS.resolve("expected.csv"));
    try (Stream<Path> files = Files.list(ATTACKS)) {
      long attacks = files.filter(f -> f.toString().endsWith(".safetensors")).count();
      assertEquals(attacks, lines.size());
    }
  }
}
