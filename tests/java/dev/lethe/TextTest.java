package dev.lethe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TextTest {
  @Test
  void whatActsOnATerminalIsEscaped() {
    assertEquals("a\\u001B[31m\\u0000\\u009B\\u007F", Text.printable("a\u001b[31m\0\u009b\u007f"));
    assertEquals("\\u202Eevil\\u2066", Text.printable("\u202eevil\u2066"));
    assertEquals("\\u000A\\u2028\\uD800", Text.printable("\n\u2028\ud800"));
  }

  @Test
  void whatIsReadableStays() {
    String readable = "Où é, 日本語, 🦙, \\n and 'so' on";
    assertEquals(readable, Text.printable(readable));
  }

  @Test
  void longTextIsCutBetweenCharacters() {
    assertEquals("'" + "x".repeat(80) + "…'", Text.quote("x".repeat(81)));
    assertEquals("'" + "x".repeat(80) + "'", Text.quote("x".repeat(80)));
    assertEquals("x…", Text.shorten("x🦙🦙", 2));
  }

  @Test
  void everyPartOfAComplaintIsPrintableAndBounded() {
    String wild = "\u001b[2J".repeat(100_000);
    String message = new LetheException(wild, wild, wild, wild, wild).getMessage();
    assertEquals(message, Text.printable(message));
    assertTrue(message.length() < 30_000, "length " + message.length());
  }
}
