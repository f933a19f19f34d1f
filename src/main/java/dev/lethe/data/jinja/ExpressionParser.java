package dev.lethe.data.jinja;

import dev.lethe.Text;
import dev.lethe.data.jinja.Node.Arguments;
import dev.lethe.data.jinja.Node.Expression;
import dev.lethe.data.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;

/** Reads expressions, with Jinja's precedence. */
final class ExpressionParser {
  private static final int MAX_DEPTH = 120;
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

  private final List<Token> tokens;
  private int at;
  private int depth;

  ExpressionParser(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  Token next() {
    Token token = tokens.get(at);
    at += token.kind() == Kind.END ? 0 : 1;
    return token;
  }

  Token take(Kind kind) {
    if (peek().kind() != kind) {
      throw error(Text.format("expected %s, got %s '%s'", kind, peek().kind(), peek().value()));
    }
    return next();
  }

  boolean accept(Kind kind, String value) {
    boolean found = peek().is(kind, value);
    at += found ? 1 : 0;
    return found;
  }

  void require(Kind kind, String value) {
    if (!accept(kind, value)) {
      throw error(Text.format("expected '%s', got '%s'", value, peek().value()));
    }
  }

  JinjaException error(String problem) {
    return new JinjaException("line " + peek().line() + ": " + problem);
  }

  private void enter() {
    if (++depth > MAX_DEPTH) {
      throw error("an expression is nested too deeply");
    }
  }

  /** An expression, or several with commas between. */
  Expression tuple() {
    Expression first = expression();
    if (!peek().is(Kind.OPERATOR, ",")) {
      return first;
    }
    List<Expression> items = new ArrayList<>(List.of(first));
    while (accept(Kind.OPERATOR, ",")) {
      if (peek().kind() == Kind.BLOCK_END || peek().kind() == Kind.PRINT_END || peek().is(Kind.OPERATOR, ")")) {
        break;
      }
      items.add(expression());
    }
    return new Node.ListOf(items, true);
  }

  Expression expression() {
    enter();
    Expression value = or();
    while (accept(Kind.NAME, "if")) {
      Expression test = or();
      Expression otherwise = accept(Kind.NAME, "else") ? expression() : null;
      value = new Node.Conditional(test, value, otherwise);
    }
    depth--;
    return value;
  }

  /** What a loop runs over, after which {@code if} belongs to the loop. */
  Expression withoutCondition() {
    return or();
  }

  private Expression or() {
    Expression left = and();
    while (accept(Kind.NAME, "or")) {
      left = new Node.Logic(false, left, and());
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (accept(Kind.NAME, "and")) {
      left = new Node.Logic(true, left, not());
    }
    return left;
  }

  private Expression not() {
    if (!accept(Kind.NAME, "not")) {
      return comparison();
    }
    enter();
    Expression value = new Node.Unary("not", not());
    depth--;
    return value;
  }

  private Expression comparison() {
    Expression first = sum();
    List<String> operators = new ArrayList<>();
    List<Expression> others = new ArrayList<>();
    while (true) {
      Token token = peek();
      if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.value())) {
        operators.add(next().value());
      } else if (accept(Kind.NAME, "in")) {
        operators.add("in");
      } else if (token.is(Kind.NAME, "not") && tokens.get(at + 1).is(Kind.NAME, "in")) {
        at += 2;
        operators.add("not in");
      } else {
        return operators.isEmpty() ? first : new Node.Comparison(first, operators, others);
      }
      others.add(sum());
    }
  }

  private Expression sum() {
    return leftToRight(this::concatenation, Set.of("+", "-"));
  }

  private Expression concatenation() {
    return leftToRight(this::product, Set.of("~"));
  }

  private Expression product() {
    return leftToRight(this::power, Set.of("*", "/", "//", "%"));
  }

  private Expression power() {
    return leftToRight(() -> unary(true), Set.of("**"));
  }

  private Expression leftToRight(Supplier<Expression> operand, Set<String> operators) {
    Expression left = operand.get();
    while (peek().kind() == Kind.OPERATOR && operators.contains(peek().value())) {
      String operator = next().value();
      left = new Node.Binary(operator, left, operand.get());
    }
    return left;
  }

  private Expression unary(boolean filters) {
    enter();
    Expression value;
    if (peek().is(Kind.OPERATOR, "-") || peek().is(Kind.OPERATOR, "+")) {
      String operator = next().value();
      value = new Node.Unary(operator, unary(false));
    } else {
      value = postfix(primary());
    }
    depth--;
    return filters ? filtersAndTests(value) : value;
  }

  private Expression primary() {
    Token token = next();
    return switch (token.kind()) {
      case NAME ->
          switch (token.value()) {
            case "true", "True" -> new Node.Literal(true);
            case "false", "False" -> new Node.Literal(false);
            case "none", "None" -> new Node.Literal(null);
            default -> new Node.Name(token.value());
          };
      case STRING -> {
        StringBuilder text = new StringBuilder(token.value());
        while (peek().kind() == Kind.STRING) {
          text.append(next().value());
        }
        yield new Node.Literal(text.toString());
      }
      case INTEGER -> new Node.Literal(integer(token));
      case FLOAT -> new Node.Literal(Double.parseDouble(token.value()));
      case OPERATOR ->
          switch (token.value()) {
            case "(" -> parenthesis();
            case "[" -> new Node.ListOf(items("]"), false);
            case "{" -> dict();
            default -> throw error("unexpected '" + token.value() + "'");
          };
      default -> throw error("a value is missing");
    };
  }

  private long integer(Token token) {
    try {
      return Long.parseLong(token.value());
    } catch (NumberFormatException e) {
      throw error("integer " + token.value() + " is too large");
    }
  }

  private Expression parenthesis() {
    if (accept(Kind.OPERATOR, ")")) {
      return new Node.ListOf(List.of(), true);
    }
    Expression value = tuple();
    require(Kind.OPERATOR, ")");
    return value;
  }

  private List<Expression> items(String end) {
    List<Expression> items = new ArrayList<>();
    while (!accept(Kind.OPERATOR, end)) {
      items.add(expression());
      if (!peek().is(Kind.OPERATOR, end)) {
        require(Kind.OPERATOR, ",");
      }
    }
    return items;
  }

  private Expression dict() {
    List<Expression> keys = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!accept(Kind.OPERATOR, "}")) {
      keys.add(expression());
      require(Kind.OPERATOR, ":");
      values.add(expression());
      if (!peek().is(Kind.OPERATOR, "}")) {
        require(Kind.OPERATOR, ",");
      }
    }
    return new Node.DictOf(keys, values);
  }

  private Expression postfix(Expression start) {
    Expression value = start;
    while (true) {
      if (accept(Kind.OPERATOR, ".")) {
        Token name = next();
        value =
            name.kind() == Kind.INTEGER
                ? new Node.Subscript(value, new Node.Literal(integer(name)))
                : new Node.Attribute(value, name.value());
      } else if (accept(Kind.OPERATOR, "[")) {
        value = subscript(value);
      } else if (accept(Kind.OPERATOR, "(")) {
        value = new Node.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression of) {
    Expression from = peek().is(Kind.OPERATOR, ":") ? null : expression();
    if (accept(Kind.OPERATOR, "]")) {
      return new Node.Subscript(of, from);
    }
    require(Kind.OPERATOR, ":");
    Expression to = sliceBound();
    Expression step = accept(Kind.OPERATOR, ":") ? sliceBound() : null;
    require(Kind.OPERATOR, "]");
    return new Node.Slice(of, from, to, step);
  }

  private Expression sliceBound() {
    return peek().is(Kind.OPERATOR, ":") || peek().is(Kind.OPERATOR, "]") ? null : expression();
  }

  private Arguments arguments() {
    List<Expression> values = new ArrayList<>();
    List<String> names = new ArrayList<>();
    List<Expression> named = new ArrayList<>();
    while (!accept(Kind.OPERATOR, ")")) {
      if (peek().kind() == Kind.NAME && tokens.get(at + 1).is(Kind.OPERATOR, "=")) {
        names.add(next().value());
        at++;
        named.add(expression());
      } else {
        values.add(expression());
      }
      if (!peek().is(Kind.OPERATOR, ")")) {
        require(Kind.OPERATOR, ",");
      }
    }
    return new Arguments(values, names, named);
  }

  private Expression filtersAndTests(Expression start) {
    Expression value = start;
    while (true) {
      if (accept(Kind.OPERATOR, "|")) {
        value = filter(value);
      } else if (accept(Kind.NAME, "is")) {
        value = test(value);
      } else if (accept(Kind.OPERATOR, "(")) {
        value = new Node.Call(value, arguments());
      } else {
        return value;
      }
    }
  }

  /** A filter after its bar. */
  Node.Filter filter(Expression of) {
    String name = take(Kind.NAME).value();
    return new Node.Filter(of, name, accept(Kind.OPERATOR, "(") ? arguments() : Parser.none());
  }

  private Expression test(Expression of) {
    boolean negated = accept(Kind.NAME, "not");
    String name = take(Kind.NAME).value();
    Arguments arguments = Parser.none();
    Token token = peek();
    if (accept(Kind.OPERATOR, "(")) {
      arguments = arguments();
    } else if (startsArgument(token)) {
      arguments = new Arguments(List.of(postfix(primary())), List.of(), List.of());
    }
    return new Node.Test(of, name, arguments, negated);
  }

  private static boolean startsArgument(Token token) {
    return switch (token.kind()) {
      case NAME -> !Set.of("else", "or", "and", "is", "if", "in", "not").contains(token.value());
      case STRING, INTEGER, FLOAT -> true;
      case OPERATOR -> token.value().equals("[") || token.value().equals("{");
      default -> false;
    };
  }
}
