package dev.lethe.trajectory;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lethe.LetheException;
import org.junit.jupiter.api.function.Executable;

/** What a refusal says. */
final class Refusals {
  private Refusals() {}

  static String of(Executable work) {
    return assertThrows(LetheException.class, work).getMessage();
  }
}
