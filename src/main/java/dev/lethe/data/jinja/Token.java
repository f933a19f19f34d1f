package dev.lethe.data.jinja;

/**
 * A piece of a template's source.
 *
 * @param value the text, name, operator or string; for numbers their digits
 * @param line from 1
 */
record Token(Kind kind, String value, int line) {
  enum Kind {
    /** Text between tags. */
    DATA,
    BLOCK_BEGIN,
    BLOCK_END,
    PRINT_BEGIN,
    PRINT_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind other, String text) {
    return kind == other && value.equals(text);
  }
}
