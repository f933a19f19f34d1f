package dev.lethe.data.jinja;

import dev.lethe.Text;
import dev.lethe.data.jinja.Node.Expression;
import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Namespace;
import dev.lethe.data.jinja.Values.Tuple;
import dev.lethe.data.jinja.Values.Undefined;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Gives expressions their values; {@link Renderer} runs statements. */
class Interpreter {
  private static final long MAX_STEPS = 5_000_000;
  private static final int MAX_TEXT = 16 << 20;

  private final Filters filters = new Filters(this);
  private long steps;

  /** Counts what is done, so that no template runs for ever. */
  final void step() {
    if (++steps > MAX_STEPS) {
      throw new JinjaException(Text.format("the template does more than %,d steps", MAX_STEPS));
    }
  }

  /** Refuses texts that are too long. */
  static void requireBounded(long length) {
    if (length > MAX_TEXT) {
      throw new JinjaException(Text.format("a text of more than %,d characters", MAX_TEXT));
    }
  }

  private static String bounded(String text) {
    requireBounded(text.length());
    return text;
  }

  final Object value(Expression expression, Scope scope) {
    step();
    return switch (expression) {
      case Node.Literal e -> e.value();
      case Node.Name e -> scope.get(e.name());
      case Node.ListOf e -> {
        List<Object> items = new ArrayList<>();
        e.items().forEach(item -> items.add(value(item, scope)));
        yield e.tuple() ? new Tuple(items) : items;
      }
      case Node.DictOf e -> {
        Map<String, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < e.keys().size(); i++) {
          map.put(Values.string(value(e.keys().get(i), scope)), value(e.values().get(i), scope));
        }
        yield map;
      }
      case Node.Attribute e -> attribute(value(e.of(), scope), e.name());
      case Node.Subscript e -> subscript(value(e.of(), scope), value(e.index(), scope));
      case Node.Slice e -> slice(value(e.of(), scope), e, scope);
      case Node.Call e -> call(e, scope);
      case Node.Filter e -> filter(e, value(e.of(), scope), scope);
      case Node.Test e -> {
        Object of = value(e.of(), scope);
        yield Tests.of(e.name(), of, arguments("test " + e.name(), e.arguments(), scope)) != e.negated();
      }
      case Node.Unary e -> unary(e.operator(), value(e.of(), scope));
      case Node.Binary e -> arithmetic(e.operator(), value(e.left(), scope), value(e.right(), scope));
      case Node.Logic e -> {
        Object left = value(e.left(), scope);
        yield Values.truth(left) == e.and() ? value(e.right(), scope) : left;
      }
      case Node.Comparison e -> comparison(e, scope);
      case Node.Conditional e -> {
        if (Values.truth(value(e.test(), scope))) {
          yield value(e.then(), scope);
        }
        yield e.otherwise() == null ? new Undefined("") : value(e.otherwise(), scope);
      }
    };
  }

  final Object filter(Node.Filter filter, Object of, Scope scope) {
    Object result = filters.apply(filter.name(), of, arguments("filter " + filter.name(), filter.arguments(), scope));
    return result instanceof String s ? bounded(s) : result;
  }

  private Arguments arguments(String of, Node.Arguments arguments, Scope scope) {
    List<Object> values = new ArrayList<>();
    arguments.values().forEach(v -> values.add(value(v, scope)));
    Map<String, Object> named = new LinkedHashMap<>();
    for (int i = 0; i < arguments.names().size(); i++) {
      named.put(arguments.names().get(i), value(arguments.named().get(i), scope));
    }
    return new Arguments(of, values, named);
  }

  private Object call(Node.Call e, Scope scope) {
    Object of = value(e.of(), scope);
    Arguments arguments = arguments("", e.arguments(), scope);
    if (of instanceof Callable callable) {
      Object result = callable.call(arguments.values(), arguments.named());
      return result instanceof String s ? bounded(s) : result;
    }
    String name =
        switch (e.of()) {
          case Node.Name n -> n.name();
          case Node.Attribute a -> a.name();
          default -> "a value";
        };
    throw new JinjaException("'" + name + "' is nothing that templates here can call");
  }

  /** {@code value.name}: a method or attribute before a key. */
  private Object attribute(Object value, String name) {
    if (value instanceof Undefined u) {
      throw new JinjaException("'" + u.name() + "' is undefined");
    }
    if (value instanceof Loop loop) {
      return loop.attribute(name);
    }
    if (value instanceof Namespace space) {
      return space.attributes().getOrDefault(name, new Undefined(name));
    }
    Callable method = Methods.of(value, name);
    return method != null ? method : key(value, name);
  }

  /** {@code value[index]}: a key before a method or attribute. */
  final Object subscript(Object value, Object index) {
    if (value instanceof Undefined u) {
      throw new JinjaException("'" + u.name() + "' is undefined");
    }
    if (index instanceof String name) {
      Object found = key(value, name);
      return found instanceof Undefined ? attribute(value, name) : found;
    }
    if (value instanceof String || value instanceof List<?>) {
      List<Object> items = Values.items(value);
      long at = Values.integer(index);
      at = at < 0 ? at + items.size() : at;
      return at >= 0 && at < items.size() ? items.get((int) at) : new Undefined(index.toString());
    }
    return new Undefined(Values.text(index));
  }

  private static Object key(Object value, String name) {
    return value instanceof Map<?, ?> map && map.containsKey(name)
        ? map.get(name)
        : new Undefined(name);
  }

  private Object slice(Object of, Node.Slice e, Scope scope) {
    List<Object> items = Values.items(of);
    long step = bound(e.step(), 1, scope);
    if (step == 0) {
      throw new JinjaException("a slice has step 0");
    }
    long size = items.size();
    long low = step > 0 ? 0 : -1;
    long high = step > 0 ? size : size - 1;
    long from = clamped(bound(e.from(), step > 0 ? low : high, scope), e.from() != null, size, low, high);
    long to = clamped(bound(e.to(), step > 0 ? high : low, scope), e.to() != null, size, low, high);
    List<Object> taken = new ArrayList<>();
    for (long i = from; step > 0 ? i < to : i > to; i += step) {
      step();
      taken.add(items.get((int) i));
    }
    if (of instanceof String) {
      StringBuilder text = new StringBuilder();
      taken.forEach(text::append);
      return text.toString();
    }
    return of instanceof Tuple ? new Tuple(taken) : taken;
  }

  private long bound(Expression e, long otherwise, Scope scope) {
    Object value = e == null ? null : value(e, scope);
    return value == null ? otherwise : Values.integer(value);
  }

  private static long clamped(long place, boolean given, long size, long low, long high) {
    long counted = given && place < 0 ? place + size : place;
    return Math.clamp(counted, low, Math.max(low, high));
  }

  private static Object unary(String operator, Object value) {
    return switch (operator) {
      case "not" -> !Values.truth(value);
      case "-" -> value instanceof Double d ? (Object) (-d) : (Object) Math.negateExact(Values.integer(value));
      default -> value instanceof Double ? value : (Object) Values.integer(value);
    };
  }

  /** What an operator gives. */
  final Object arithmetic(String operator, Object a, Object b) {
    if (operator.equals("~")) {
      return bounded(Values.text(a) + Values.text(b));
    }
    if (operator.equals("+") && a instanceof String x && b instanceof String y) {
      return bounded(x + y);
    }
    if (operator.equals("+") && a instanceof List<?> x && b instanceof List<?> y) {
      List<Object> all = new ArrayList<>(x);
      all.addAll(y);
      steps += all.size();
      return a instanceof Tuple ? new Tuple(all) : all;
    }
    if (operator.equals("*") && a instanceof String x && b instanceof Long n) {
      return repeated(x, n);
    }
    if (operator.equals("*") && a instanceof Long n && b instanceof String x) {
      return repeated(x, n);
    }
    if (operator.equals("%") && a instanceof String) {
      throw new JinjaException("formatting with % is not supported");
    }
    if (!Values.isNumber(a) || !Values.isNumber(b)) {
      throw new JinjaException(Text.format("%s %s %s has no meaning", Values.type(a), operator, Values.type(b)));
    }
    boolean integers = !(a instanceof Double) && !(b instanceof Double) && !operator.equals("/");
    try {
      return integers
          ? integers(operator, Values.integer(a), Values.integer(b))
          : decimals(operator, Values.number(a), Values.number(b));
    } catch (ArithmeticException e) {
      throw new JinjaException("a number is out of range");
    }
  }

  private static String repeated(String text, long times) {
    requireBounded(Math.max(times, text.length() * Math.clamp(times, 0, MAX_TEXT)));
    return text.repeat((int) Math.max(0, times));
  }

  private static Object integers(String operator, long a, long b) {
    return switch (operator) {
      case "+" -> Math.addExact(a, b);
      case "-" -> Math.subtractExact(a, b);
      case "*" -> Math.multiplyExact(a, b);
      case "//" -> Math.floorDiv(a, b);
      case "%" -> Math.floorMod(a, b);
      default -> {
        double power = Math.pow(a, b);
        if (b < 0) {
          yield power;
        }
        if (Math.abs(power) > 1L << 53) {
          throw new ArithmeticException("power");
        }
        yield (long) power;
      }
    };
  }

  private static double decimals(String operator, double a, double b) {
    if (b == 0 && !operator.equals("+") && !operator.equals("-") && !operator.equals("*") && !operator.equals("**")) {
      throw new ArithmeticException("division");
    }
    return switch (operator) {
      case "+" -> a + b;
      case "-" -> a - b;
      case "*" -> a * b;
      case "/" -> a / b;
      case "//" -> Math.floor(a / b);
      case "%" -> a - b * Math.floor(a / b);
      default -> Math.pow(a, b);
    };
  }

  private Object comparison(Node.Comparison e, Scope scope) {
    Object left = value(e.first(), scope);
    for (int i = 0; i < e.operators().size(); i++) {
      Object right = value(e.others().get(i), scope);
      boolean holds =
          switch (e.operators().get(i)) {
            case "==" -> Values.equal(left, right);
            case "!=" -> !Values.equal(left, right);
            case "<" -> Values.compare(left, right) < 0;
            case "<=" -> Values.compare(left, right) <= 0;
            case ">" -> Values.compare(left, right) > 0;
            case ">=" -> Values.compare(left, right) >= 0;
            case "in" -> Values.contains(right, left);
            default -> !Values.contains(right, left);
          };
      if (!holds) {
        return false;
      }
      left = right;
    }
    return true;
  }
}
