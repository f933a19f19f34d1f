package dev.lethe.data.jinja;

import dev.lethe.Text;
import dev.lethe.data.jinja.Node.Expression;
import dev.lethe.data.jinja.Node.Statement;
import dev.lethe.data.jinja.Template.Span;
import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Namespace;
import java.util.ArrayList;
import java.util.List;

/** Runs a template's statements. */
final class Renderer extends Interpreter {
  private static final int MAX_CALLS = 64;

  private StringBuilder out = new StringBuilder();
  private final List<Span> generations = new ArrayList<>();
  private int calls;
  private int loops;

  /** How a list of statements ended. */
  private enum Course {
    ON,
    BREAK,
    CONTINUE
  }

  /** The text and what of it stands in generation blocks. */
  Template.Rendering render(List<Statement> body, Scope scope) {
    run(body, scope);
    return new Template.Rendering(out.toString(), generations);
  }

  private Course run(List<Statement> body, Scope scope) {
    for (Statement statement : body) {
      step();
      Course course = run(statement, scope);
      if (course != Course.ON) {
        return course;
      }
    }
    return Course.ON;
  }

  private Course run(Statement statement, Scope scope) {
    switch (statement) {
      case Node.Text s -> write(s.text());
      case Node.Print s -> write(Values.text(value(s.of(), scope)));
      case Node.If s -> {
        return run(Values.truth(value(s.test(), scope)) ? s.then() : s.otherwise(), scope);
      }
      case Node.For s -> {
        return loop(s, scope);
      }
      case Node.SetTo s -> assign(s.targets(), value(s.value(), scope), scope);
      case Node.SetBlock s -> {
        Object text = captured(s.body(), new Scope(scope));
        assign(List.of(s.target()), filtered(text, s.filters(), scope), scope);
      }
      case Node.FilterBlock s ->
          write(Values.text(filtered(captured(s.body(), new Scope(scope)), s.filters(), scope)));
      case Node.Macro s -> scope.set(s.name(), macro(s, scope));
      case Node.Generation s -> {
        int from = out.length();
        run(s.body(), new Scope(scope));
        generations.add(new Span(from, out.length()));
      }
      case Node.With s -> {
        Scope inner = new Scope(scope);
        for (int i = 0; i < s.targets().size(); i++) {
          assign(List.of(s.targets().get(i)), value(s.values().get(i), scope), inner);
        }
        return run(s.body(), inner);
      }
      case Node.Leave s -> {
        if (loops == 0) {
          throw new JinjaException("break or continue stands in no loop");
        }
        return s.loop() ? Course.BREAK : Course.CONTINUE;
      }
    }
    return Course.ON;
  }

  private Object filtered(Object text, List<Node.Filter> filters, Scope scope) {
    Object result = text;
    for (Node.Filter filter : filters) {
      result = filter(filter, result, scope);
    }
    return result;
  }

  private void write(String text) {
    out.append(text);
    requireBounded(out.length());
  }

  private Course loop(Node.For s, Scope scope) {
    List<Object> items = new ArrayList<>();
    for (Object item : Values.items(value(s.items(), scope))) {
      step();
      Scope inner = new Scope(scope);
      unpack(s.targets(), item, inner);
      if (s.only() == null || Values.truth(value(s.only(), inner))) {
        items.add(item);
      }
    }
    if (items.isEmpty()) {
      return run(s.otherwise(), scope);
    }
    Loop loop = new Loop(items, loops);
    loops++;
    for (int i = 0; i < items.size(); i++) {
      loop.goTo(i);
      Scope inner = new Scope(scope);
      inner.set("loop", loop);
      unpack(s.targets(), items.get(i), inner);
      if (run(s.body(), inner) == Course.BREAK) {
        break;
      }
    }
    loops--;
    return Course.ON;
  }

  private static void unpack(List<String> targets, Object item, Scope scope) {
    if (targets.size() == 1) {
      scope.set(targets.getFirst(), item);
      return;
    }
    List<Object> parts = Values.items(item);
    requireSize(targets.size(), parts.size());
    for (int i = 0; i < targets.size(); i++) {
      scope.set(targets.get(i), parts.get(i));
    }
  }

  private void assign(List<Expression> targets, Object value, Scope scope) {
    List<Object> parts = targets.size() == 1 ? null : Values.items(value);
    if (parts != null) {
      requireSize(targets.size(), parts.size());
    }
    for (int i = 0; i < targets.size(); i++) {
      Object part = parts == null ? value : parts.get(i);
      switch (targets.get(i)) {
        case Node.Name n -> scope.set(n.name(), part);
        case Node.Attribute a when value(a.of(), scope) instanceof Namespace space ->
            space.attributes().put(a.name(), part);
        default -> throw new JinjaException("only names and a namespace's attributes can be set");
      }
    }
  }

  private static void requireSize(int names, int parts) {
    if (names != parts) {
      throw new JinjaException(Text.format("%d names for %d values", names, parts));
    }
  }

  private String captured(List<Statement> body, Scope scope) {
    StringBuilder before = out;
    out = new StringBuilder();
    int marked = generations.size();
    run(body, scope);
    String text = out.toString();
    out = before;
    if (generations.size() > marked) {
      throw new JinjaException("a generation block in a macro or a set block is not supported");
    }
    return text;
  }

  private Callable macro(Node.Macro macro, Scope scope) {
    return (values, named) -> {
      if (++calls > MAX_CALLS) {
        throw new JinjaException("macros call each other too deeply");
      }
      if (values.size() > macro.parameters().size()) {
        throw new JinjaException(Text.format("macro '%s' has fewer parameters", macro.name()));
      }
      for (String name : named.keySet()) {
        if (!macro.parameters().contains(name)) {
          throw new JinjaException(Text.format("macro '%s' has no parameter '%s'", macro.name(), name));
        }
      }
      Scope inner = new Scope(scope);
      for (int i = 0; i < macro.parameters().size(); i++) {
        String name = macro.parameters().get(i);
        Expression usual = macro.defaults().get(i);
        if (i < values.size()) {
          inner.set(name, values.get(i));
        } else if (named.containsKey(name)) {
          inner.set(name, named.get(name));
        } else {
          inner.set(name, usual == null ? new Values.Undefined(name) : value(usual, inner));
        }
      }
      int outerLoops = loops;
      loops = 0;
      String text = captured(macro.body(), inner);
      loops = outerLoops;
      calls--;
      return text;
    };
  }
}
