package dev.lethe.study;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.train.RowShards;
import dev.lethe.unlearn.baseline.Baselines;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;

/** Reads a plan and refuses what it says wrongly or what nothing would heed. */
public final class PlanReader {
  /** The layout that plans name. */
  public static final String FORMAT = "lethe-study-plan/1";

  private static final long MAX_BYTES = 1 << 20;
  private static final Set<String> FIELDS =
      Set.of(
          "format", "title", "hours", "models", "data", "trainings", "requests", "methods", "settings", "seeds",
          "tuning", "noise", "assess");

  /** Methods whose choices are options of the command. */
  private static final Set<String> FOLLOWING = Set.of("recorded", "exact", "averaged", "influence", "sisa");

  private final Path file;
  private final Path root;

  private PlanReader(Path file, Path root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Reads a plan.
   *
   * @param root what its paths are relative to
   * @throws LetheException where anything in it is unknown, missing or of no use
   */
  public static StudyPlan read(Path file, Path root) {
    return new PlanReader(file, root).plan();
  }

  private StudyPlan plan() {
    JsonFields f = new JsonFields(StrictJson.readObject(file, MAX_BYTES), file.toString());
    only(f, FIELDS);
    String format = f.string("format", f.required("format"));
    if (!format.equals(FORMAT)) {
      throw refuse("the plan has another format", FORMAT, format, "Write a plan as docs/study.md says.");
    }
    Map<String, String> models =
        named(f, "models", (name, value) -> existing(f.string(name, value)));
    Map<String, StudyPlan.Data> data = named(f, "data", (name, value) -> data(object(f, "data", name, value)));
    Map<String, List<String>> trainings =
        named(f, "trainings", (name, value) -> options(object(f, "trainings", name, value)));
    Map<String, List<String>> requests =
        named(f, "requests", (name, value) -> request(object(f, "requests", name, value)));
    Map<String, StudyPlan.Method> methods =
        named(f, "methods", (name, value) -> method(object(f, "methods", name, value)));
    List<Long> seeds = seeds(f, "seeds");
    List<Long> tuning = f.has("tuning") ? seeds(f, "tuning") : List.of();
    StudyPlan plan =
        new StudyPlan(
            f.string("title", f.required("title")),
            f.numberOr("hours", 0, 0, 1e6),
            models,
            data,
            trainings,
            requests,
            methods,
            settings(f, List.of(models, data, trainings), requests, methods),
            seeds,
            tuning,
            (int) f.integerOr("noise", 0, 0, 100),
            f.has("assess") ? options(f.objectOrNull("assess")) : List.of());
    requireTuning(plan);
    return plan;
  }

  private void requireTuning(StudyPlan plan) {
    boolean grids = plan.methods().values().stream().anyMatch(method -> !method.grid().isEmpty());
    boolean reports = plan.seeds().stream().anyMatch(seed -> !plan.tuning().contains(seed));
    if (grids && (plan.tuning().isEmpty() || !plan.seeds().containsAll(plan.tuning()) || !reports)) {
      throw refuse(
          "a method has a grid, and 'tuning' does not say which seeds choose", "some of the seeds, not all",
          plan.tuning().toString(), "Name some of 'seeds' in 'tuning'; the others report.");
    }
    if (!grids && !plan.tuning().isEmpty()) {
      throw refuse("there is nothing to tune", "a method with a 'grid'", "none", "Leave 'tuning' out.");
    }
  }

  private StudyPlan.Data data(JsonFields f) {
    only(f, Set.of("file", "skip", "first"));
    String path = existing(f.string("file", f.required("file")));
    return new StudyPlan.Data(
        path, f.integerOr("skip", 0, 0, Integer.MAX_VALUE), f.integerOr("first", 0, 0, Integer.MAX_VALUE));
  }

  private List<String> request(JsonFields f) {
    only(f, Set.of("forget", "replace", "replace-field", "in-order"));
    if (!f.has("forget") && !f.has("replace")) {
      throw refuse(f.where() + " asks for nothing", "'forget' or 'replace'", "neither", "Say what to forget.");
    }
    if (f.has("replace")) {
      existing(f.stringOr("replace", null));
    }
    return options(f);
  }

  private StudyPlan.Method method(JsonFields f) {
    List<String> options = new ArrayList<>();
    String name = f.string("method", f.required("method"));
    options.add("--method");
    options.add(name);
    Map<String, Double> fixed = new LinkedHashMap<>();
    Map<String, List<Double>> grid = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : f.node().properties()) {
      switch (field.getKey()) {
        case "method", "shards" -> {}
        case "set" -> {
          JsonFields set = f.objectOrNull("set");
          set.node().properties().forEach(
              each -> fixed.put(each.getKey(), number(set, each.getKey(), each.getValue())));
        }
        case "grid" -> {
          JsonFields values = f.objectOrNull("grid");
          values.node().properties().forEach(each -> grid.put(each.getKey(), numbers(values, each)));
        }
        default -> options.addAll(option(f, field));
      }
    }
    fixed.forEach((setting, value) -> options.addAll(List.of("--set", setting + "=" + value)));
    requireMethod(f, name, fixed, grid);
    int shards = (int) f.integerOr("shards", 0, 2, RowShards.MOST);
    if (name.equals("sisa") != shards > 0) {
      throw refuse(
          f.where() + (shards > 0 ? " has 'shards', which " + name + " has no use for" : " does not say how many shards"),
          "'shards' with the method sisa, and with no other", name, "Write \"shards\": 4, or leave it out.");
    }
    return new StudyPlan.Method(List.copyOf(options), shards, grid);
  }

  private void requireMethod(
      JsonFields f, String name, Map<String, Double> fixed, Map<String, List<Double>> grid) {
    if (FOLLOWING.contains(name)) {
      if (!fixed.isEmpty() || !grid.isEmpty()) {
        throw refuse(
            f.where() + " has a 'set' or a 'grid', which " + name + " has no use for", "options of lethe unlearn",
            fixed.keySet() + " and " + grid.keySet(), "Write options as fields, as in \"exact-head\": 0.2.");
      }
      return;
    }
    for (Map<String, Double> point : StudySteps.points(grid)) {
      Map<String, Double> settings = new LinkedHashMap<>(fixed);
      settings.putAll(point);
      Baselines.of(name, settings);
    }
  }

  private static List<Double> numbers(JsonFields f, Map.Entry<String, JsonNode> field) {
    List<Double> values = new ArrayList<>();
    if (!field.getValue().isArray() || field.getValue().isEmpty()) {
      throw f.wrongType(field.getKey(), field.getValue(), "a list of numbers");
    }
    field.getValue().forEach(value -> values.add(number(f, field.getKey(), value)));
    return values;
  }

  private static double number(JsonFields f, String name, JsonNode value) {
    return f.number(name, value, -Double.MAX_VALUE, Double.MAX_VALUE);
  }

  private List<StudyPlan.Setting> settings(
      JsonFields f,
      List<Map<String, ?>> parts,
      Map<String, List<String>> requests,
      Map<String, StudyPlan.Method> methods) {
    JsonNode list = f.required("settings");
    if (!list.isArray() || list.isEmpty()) {
      throw f.wrongType("settings", list, "a list of settings");
    }
    List<StudyPlan.Setting> settings = new ArrayList<>();
    Set<String> names = new TreeSet<>();
    for (JsonNode each : list) {
      JsonFields s = object(f, "settings", String.valueOf(settings.size() + 1), each);
      only(s, Set.of("name", "model", "data", "training", "held-out", "requests", "methods"));
      String name = name(s.string("name", s.required("name")));
      if (!names.add(name)) {
        throw refuse("two settings have one name", "names of their own", name, "Rename one.");
      }
      String heldOut = s.stringOr("held-out", null);
      settings.add(
          new StudyPlan.Setting(
              name,
              known(s, "model", parts.get(0)),
              known(s, "data", parts.get(1)),
              known(s, "training", parts.get(2)),
              heldOut == null ? null : known(s, "held-out", parts.get(1)),
              knownAll(s, "requests", requests),
              knownAll(s, "methods", methods)));
    }
    return List.copyOf(settings);
  }

  private String known(JsonFields f, String field, Map<String, ?> names) {
    return known(f, f.string(field, f.required(field)), names.keySet());
  }

  /** The names that a setting takes; all where it does not say. */
  private List<String> knownAll(JsonFields f, String field, Map<String, ?> names) {
    if (!f.has(field)) {
      return List.copyOf(names.keySet());
    }
    return f.strings(field).stream().map(name -> known(f, name, names.keySet())).toList();
  }

  private String known(JsonFields f, String name, Set<String> names) {
    if (!names.contains(name)) {
      throw refuse(
          f.where() + " names '" + name + "', which the plan does not have", String.join(", ", names), name,
          "Use one of the plan's names.");
    }
    return name;
  }

  private List<Long> seeds(JsonFields f, String field) {
    List<Integer> seeds = f.oneOrMoreIntegers(field, 0, Integer.MAX_VALUE);
    if (seeds.isEmpty() || Set.copyOf(seeds).size() != seeds.size()) {
      throw refuse(
          "'" + field + "' is no list of different seeds", "one whole number or more, each once", seeds.toString(),
          "Give the seeds.");
    }
    return seeds.stream().map(Integer::longValue).toList();
  }

  /** Options of a command: {@code "lr": 0.001} is {@code --lr 0.001}, {@code "no-shuffle": true} a flag. */
  private static List<String> options(JsonFields f) {
    List<String> options = new ArrayList<>();
    f.node().properties().forEach(field -> options.addAll(option(f, field)));
    return List.copyOf(options);
  }

  private static List<String> option(JsonFields f, Map.Entry<String, JsonNode> field) {
    String name = "--" + field.getKey();
    JsonNode value = field.getValue();
    if (value.isBoolean()) {
      return value.booleanValue() ? List.of(name) : List.of();
    }
    if (value.isString()) {
      return List.of(name, value.stringValue());
    }
    if (value.isIntegralNumber()) {
      return List.of(name, value.asString());
    }
    return List.of(name, Double.toString(number(f, field.getKey(), value)));
  }

  private <T> Map<String, T> named(JsonFields f, String field, NamedValue<T> reader) {
    Map<String, T> values = new LinkedHashMap<>();
    f.required(field);
    f.objectOrNull(field)
        .node()
        .properties()
        .forEach(each -> values.put(name(each.getKey()), reader.read(each.getKey(), each.getValue())));
    if (values.isEmpty()) {
      throw refuse("'" + field + "' is empty", "one entry or more", "none", "Name some.");
    }
    return values;
  }

  private JsonFields object(JsonFields f, String field, String name, JsonNode value) {
    if (value.isObject()) {
      return new JsonFields(value.asObject(), f.where() + ": '" + field + "': '" + name + "'");
    }
    throw f.wrongType(field + " " + name, value, "an object");
  }

  /** Names become those of folders. */
  private String name(String name) {
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9 ._=-]{0,60}")) {
      throw refuse(
          "a name cannot be that of a folder", "letters, digits, spaces and . _ = -", name, "Choose another name.");
    }
    return name;
  }

  private String existing(String path) {
    if (!Files.exists(root.resolve(path))) {
      throw refuse(
          "a file of the plan is not there", root.resolve(path).toString(), "nothing",
          "Correct the path, or name the folder that paths begin in with --files.");
    }
    return path;
  }

  private void only(JsonFields f, Set<String> fields) {
    Set<String> unknown = new TreeSet<>();
    f.node().propertyNames().forEach(unknown::add);
    unknown.removeAll(fields);
    if (!unknown.isEmpty()) {
      throw new LetheException(
          f.where(), "there are fields that nothing heeds", String.join(", ", new TreeSet<>(fields)),
          String.join(", ", unknown), "Remove or correct them.");
    }
  }

  private LetheException refuse(String problem, String expected, String got, String remedy) {
    return new LetheException(file.toString(), problem, expected, got, remedy);
  }

  @FunctionalInterface
  private interface NamedValue<T> {
    T read(String name, JsonNode value);
  }
}
