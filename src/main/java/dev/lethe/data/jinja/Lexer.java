package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;

/** Cuts a template into tokens, with {@code trim_blocks} and {@code lstrip_blocks} as transformers sets them. */
final class Lexer {
  private static final List<String> OPERATORS =
      List.of(
          "**", "//", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")",
          "{", "}", ">", "<", "=", ".", ":", "|", ",");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;
  private boolean lineStarts = true;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> cut(String source) {
    String unix = source.replace("\r\n", "\n").replace('\r', '\n');
    Lexer lexer =
        new Lexer(unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (at < source.length()) {
      int tag = nextTag();
      if (tag < 0) {
        add(Kind.DATA, source.substring(at));
        break;
      }
      char kind = source.charAt(tag + 1);
      char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
      data(source.substring(at, tag), kind, sign);
      at = tag + (sign == '-' || sign == '+' && kind != '{' ? 3 : 2);
      if (kind == '#') {
        comment();
      } else {
        add(kind == '%' ? Kind.BLOCK_BEGIN : Kind.PRINT_BEGIN, "");
        inside(kind == '%');
      }
    }
    add(Kind.END, "");
  }

  private int nextTag() {
    for (int i = at; i + 1 < source.length(); i++) {
      if (source.charAt(i) == '{' && "%{#".indexOf(source.charAt(i + 1)) >= 0) {
        return i;
      }
    }
    return -1;
  }

  /** Text before a tag, without the white space that the tag takes. */
  private void data(String text, char kind, char sign) {
    String kept = text;
    if (sign == '-') {
      kept = PyStrings.stripRight(text, null);
    } else if (kind != '{' && sign != '+') {
      int start = text.lastIndexOf('\n') + 1;
      boolean blank = start < text.length() && text.substring(start).chars().allMatch(PyStrings::isSpace);
      if (blank && (start > 0 || lineStarts)) {
        kept = text.substring(0, start);
      }
    }
    if (!kept.isEmpty()) {
      add(Kind.DATA, kept);
    }
    countLines(text);
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw error("a comment does not end");
    }
    char sign = end > at ? source.charAt(end - 1) : ' ';
    countLines(source.substring(at, end));
    at = end + 2;
    after(sign, true);
  }

  /** Takes the white space after a tag that ends. */
  private void after(char sign, boolean takesNewline) {
    int from = at;
    if (sign == '-') {
      while (at < source.length() && PyStrings.isSpace(source.charAt(at))) {
        at++;
      }
    } else if (takesNewline && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
      at++;
    }
    countLines(source.substring(from, at));
    lineStarts = at > 0 && source.charAt(at - 1) == '\n';
  }

  private void inside(boolean block) {
    String end = block ? "%}" : "}}";
    int depth = 0;
    while (true) {
      while (at < source.length() && PyStrings.isSpace(source.charAt(at))) {
        countLines(source.substring(at, at + 1));
        at++;
      }
      if (at >= source.length()) {
        throw error("a tag does not end");
      }
      char c = source.charAt(at);
      boolean signed = (c == '-' || c == '+' && block) && source.startsWith(end, at + 1);
      if (depth == 0 && (signed || source.startsWith(end, at))) {
        at += signed ? 3 : 2;
        add(block ? Kind.BLOCK_END : Kind.PRINT_END, "");
        after(signed ? c : ' ', block);
        return;
      }
      if (Character.isUnicodeIdentifierStart(c) || c == '_') {
        name();
      } else if (c >= '0' && c <= '9') {
        number();
      } else if (c == '"' || c == '\'') {
        string(c);
      } else {
        depth += "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
        operator();
      }
    }
  }

  private void name() {
    int from = at;
    while (at < source.length() && Character.isUnicodeIdentifierPart(source.charAt(at))) {
      at++;
    }
    add(Kind.NAME, source.substring(from, at));
  }

  private void number() {
    int from = at;
    digits();
    Kind kind = Kind.INTEGER;
    if (at + 1 < source.length() && source.charAt(at) == '.' && isDigit(at + 1)) {
      kind = Kind.FLOAT;
      at++;
      digits();
    }
    int exponent = exponent();
    if (isDigit(exponent)) {
      kind = Kind.FLOAT;
      at = exponent;
      digits();
    }
    add(kind, source.substring(from, at).replace("_", ""));
  }

  /** Where the digits of an exponent would begin. */
  private int exponent() {
    boolean letter = at < source.length() && "eE".indexOf(source.charAt(at)) >= 0;
    boolean sign = letter && at + 1 < source.length() && "+-".indexOf(source.charAt(at + 1)) >= 0;
    return !letter ? source.length() : at + (sign ? 2 : 1);
  }

  private void digits() {
    while (isDigit(at) || at < source.length() && source.charAt(at) == '_') {
      at++;
    }
  }

  private boolean isDigit(int place) {
    return place < source.length() && source.charAt(place) >= '0' && source.charAt(place) <= '9';
  }

  private void string(char quote) {
    StringBuilder text = new StringBuilder();
    int from = at;
    at++;
    while (at < source.length() && source.charAt(at) != quote) {
      if (source.charAt(at) == '\\') {
        escape(text);
      } else {
        text.append(source.charAt(at));
        at++;
      }
    }
    if (at >= source.length()) {
      throw error("a string does not end");
    }
    at++;
    add(Kind.STRING, text.toString());
    countLines(source.substring(from, at));
  }

  private void escape(StringBuilder text) {
    char c = at + 1 < source.length() ? source.charAt(at + 1) : '\\';
    int simple = "\n\\'\"abfnrtv0".indexOf(c);
    int hexDigits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (simple == 0) {
      at += 2;
    } else if (simple > 0) {
      text.append("\n\\'\"\u0007\b\f\n\r\t\u000b\0".charAt(simple));
      at += 2;
    } else if (hexDigits > 0) {
      try {
        int point = Integer.parseInt(source, at + 2, at + 2 + hexDigits, 16);
        text.appendCodePoint(point);
      } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
        throw error("a string has an escape that is no character");
      }
      at += 2 + hexDigits;
    } else {
      text.append('\\');
      at++;
    }
  }

  private void operator() {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        add(Kind.OPERATOR, operator);
        at += operator.length();
        return;
      }
    }
    throw error("unexpected character '" + source.charAt(at) + "'");
  }

  private void countLines(String text) {
    line += (int) text.chars().filter(c -> c == '\n').count();
  }

  private void add(Kind kind, String value) {
    tokens.add(new Token(kind, value, line));
  }

  private JinjaException error(String problem) {
    return new JinjaException("line " + line + ": " + problem);
  }
}
