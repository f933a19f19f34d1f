package dev.lethe.data.jinja;

import java.util.List;

/** A template as a tree. */
sealed interface Node {
  /** What has a value. */
  sealed interface Expression extends Node {}

  /** What does something. */
  sealed interface Statement extends Node {}

  record Literal(Object value) implements Expression {}

  record Name(String name) implements Expression {}

  record ListOf(List<Expression> items, boolean tuple) implements Expression {}

  record DictOf(List<Expression> keys, List<Expression> values) implements Expression {}

  record Attribute(Expression of, String name) implements Expression {}

  record Subscript(Expression of, Expression index) implements Expression {}

  /** Absent bounds are null. */
  record Slice(Expression of, Expression from, Expression to, Expression step) implements Expression {}

  record Arguments(List<Expression> values, List<String> names, List<Expression> named) {}

  record Call(Expression of, Arguments arguments) implements Expression {}

  record Filter(Expression of, String name, Arguments arguments) implements Expression {}

  record Test(Expression of, String name, Arguments arguments, boolean negated) implements Expression {}

  record Unary(String operator, Expression of) implements Expression {}

  record Binary(String operator, Expression left, Expression right) implements Expression {}

  record Logic(boolean and, Expression left, Expression right) implements Expression {}

  /** {@code a < b < c}: each operator between two neighbours. */
  record Comparison(Expression first, List<String> operators, List<Expression> others)
      implements Expression {}

  /** {@code otherwise} is null where there is none. */
  record Conditional(Expression test, Expression then, Expression otherwise) implements Expression {}

  record Text(String text) implements Statement {}

  record Print(Expression of) implements Statement {}

  record If(Expression test, List<Statement> then, List<Statement> otherwise) implements Statement {}

  /** {@code only} is the filter of the items; null where there is none. */
  record For(
      List<String> targets,
      Expression items,
      Expression only,
      List<Statement> body,
      List<Statement> otherwise)
      implements Statement {}

  /** Targets are names, or {@code namespace.attribute}. */
  record SetTo(List<Expression> targets, Expression value) implements Statement {}

  record SetBlock(Expression target, List<Statement> body, List<Filter> filters) implements Statement {}

  record FilterBlock(List<Filter> filters, List<Statement> body) implements Statement {}

  /** Parameters without a default have null in its place. */
  record Macro(
      String name, List<String> parameters, List<Expression> defaults, List<Statement> body)
      implements Statement {}

  /** What the model says. */
  record Generation(List<Statement> body) implements Statement {}

  record With(List<Expression> targets, List<Expression> values, List<Statement> body)
      implements Statement {}

  record Leave(boolean loop) implements Statement {}
}
