package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Node.Arguments;
import dev.lethe.data.jinja.Node.Expression;
import dev.lethe.data.jinja.Node.Statement;
import dev.lethe.data.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Reads statements; {@link ExpressionParser} reads what stands in them. */
final class Parser {
  private static final int MAX_DEPTH = 60;

  private final ExpressionParser tokens;
  private int depth;

  private Parser(List<Token> tokens) {
    this.tokens = new ExpressionParser(tokens);
  }

  static List<Statement> parse(String source) {
    return new Parser(Lexer.cut(source)).body(Set.of());
  }

  /** Statements up to a tag of one of the names, whose begin and name are taken. */
  private List<Statement> body(Set<String> ends) {
    if (++depth > MAX_DEPTH) {
      throw tokens.error("tags are nested too deeply");
    }
    List<Statement> body = new ArrayList<>();
    while (true) {
      Token token = tokens.peek();
      if (token.kind() == Kind.END) {
        if (!ends.isEmpty()) {
          throw tokens.error("the template ends and one of " + ends + " is missing");
        }
        break;
      }
      if (token.kind() == Kind.DATA) {
        body.add(new Node.Text(tokens.next().value()));
      } else if (token.kind() == Kind.PRINT_BEGIN) {
        tokens.next();
        body.add(new Node.Print(tokens.tuple()));
        tokens.take(Kind.PRINT_END);
      } else {
        tokens.take(Kind.BLOCK_BEGIN);
        String name = tokens.peek().value();
        if (ends.contains(name)) {
          break;
        }
        tokens.take(Kind.NAME);
        body.add(statement(name));
      }
    }
    depth--;
    return body;
  }

  private Statement statement(String name) {
    return switch (name) {
      case "if" -> conditional();
      case "for" -> loop();
      case "set" -> set();
      case "macro" -> macro();
      case "filter" -> {
        List<Node.Filter> filters = new ArrayList<>();
        do {
          filters.add(tokens.filter(new Node.Literal(null)));
        } while (tokens.accept(Kind.OPERATOR, "|"));
        tokens.take(Kind.BLOCK_END);
        yield new Node.FilterBlock(filters, untilEnd("endfilter"));
      }
      case "with" -> with();
      case "generation" -> {
        tokens.take(Kind.BLOCK_END);
        yield new Node.Generation(untilEnd("endgeneration"));
      }
      case "break", "continue" -> {
        tokens.take(Kind.BLOCK_END);
        yield new Node.Leave(name.equals("break"));
      }
      default -> throw tokens.error("tag '" + name + "' is not supported");
    };
  }

  private List<Statement> untilEnd(String end) {
    List<Statement> body = body(Set.of(end));
    tokens.take(Kind.NAME);
    tokens.take(Kind.BLOCK_END);
    return body;
  }

  private Statement conditional() {
    Expression test = tokens.tuple();
    tokens.take(Kind.BLOCK_END);
    List<Statement> then = body(Set.of("elif", "else", "endif"));
    String next = tokens.take(Kind.NAME).value();
    if (next.equals("elif")) {
      return new Node.If(test, then, List.of(conditional()));
    }
    tokens.take(Kind.BLOCK_END);
    return new Node.If(test, then, next.equals("else") ? untilEnd("endif") : List.of());
  }

  private Statement loop() {
    List<String> targets = new ArrayList<>();
    do {
      targets.add(tokens.take(Kind.NAME).value());
    } while (tokens.accept(Kind.OPERATOR, ","));
    tokens.require(Kind.NAME, "in");
    Expression items = tokens.withoutCondition();
    Expression only = tokens.accept(Kind.NAME, "if") ? tokens.expression() : null;
    if (tokens.peek().is(Kind.NAME, "recursive")) {
      throw tokens.error("recursive loops are not supported");
    }
    tokens.take(Kind.BLOCK_END);
    List<Statement> body = body(Set.of("else", "endfor"));
    boolean hasElse = tokens.take(Kind.NAME).value().equals("else");
    tokens.take(Kind.BLOCK_END);
    return new Node.For(
        targets, items, only, body, hasElse ? untilEnd("endfor") : List.of());
  }

  private Statement set() {
    List<Expression> targets = targets();
    if (tokens.accept(Kind.OPERATOR, "=")) {
      Expression value = tokens.tuple();
      tokens.take(Kind.BLOCK_END);
      return new Node.SetTo(targets, value);
    }
    List<Node.Filter> filters = new ArrayList<>();
    while (tokens.accept(Kind.OPERATOR, "|")) {
      filters.add(tokens.filter(new Node.Literal(null)));
    }
    tokens.take(Kind.BLOCK_END);
    return new Node.SetBlock(targets.getFirst(), untilEnd("endset"), filters);
  }

  private List<Expression> targets() {
    List<Expression> targets = new ArrayList<>();
    do {
      String name = tokens.take(Kind.NAME).value();
      boolean attribute = tokens.accept(Kind.OPERATOR, ".");
      Expression target = new Node.Name(name);
      targets.add(
          attribute ? new Node.Attribute(target, tokens.take(Kind.NAME).value()) : target);
    } while (tokens.accept(Kind.OPERATOR, ","));
    return targets;
  }

  private Statement macro() {
    String name = tokens.take(Kind.NAME).value();
    List<String> parameters = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    tokens.require(Kind.OPERATOR, "(");
    while (!tokens.accept(Kind.OPERATOR, ")")) {
      parameters.add(tokens.take(Kind.NAME).value());
      defaults.add(tokens.accept(Kind.OPERATOR, "=") ? tokens.expression() : null);
      if (!tokens.peek().is(Kind.OPERATOR, ")")) {
        tokens.require(Kind.OPERATOR, ",");
      }
    }
    tokens.take(Kind.BLOCK_END);
    return new Node.Macro(name, parameters, defaults, untilEnd("endmacro"));
  }

  private Statement with() {
    List<Expression> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (tokens.peek().kind() != Kind.BLOCK_END) {
      targets.add(new Node.Name(tokens.take(Kind.NAME).value()));
      tokens.require(Kind.OPERATOR, "=");
      values.add(tokens.expression());
      tokens.accept(Kind.OPERATOR, ",");
    }
    tokens.take(Kind.BLOCK_END);
    return new Node.With(targets, values, untilEnd("endwith"));
  }

  /** No arguments. */
  static Arguments none() {
    return new Arguments(List.of(), List.of(), List.of());
  }
}
