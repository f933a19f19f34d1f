package dev.lethe.study;

import dev.lethe.unlearn.baseline.Setting;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The commands of a plan. */
public final class StudySteps {
  /** Added to a cell's seed for retrainings that show the noise. */
  private static final long OTHER_SEED = 1000;

  private final StudyPlan plan;

  public StudySteps(StudyPlan plan) {
    this.plan = plan;
  }

  /** One training and all that rests on it; the smallest part that a shard takes. */
  public record Block(StudyPlan.Setting setting, long seed) {
    /** As steps are named. */
    String name() {
      return setting.name() + "/seed " + seed;
    }
  }

  /** All blocks, in the order in which shards take them in turn. */
  public List<Block> blocks() {
    List<Block> blocks = new ArrayList<>();
    for (long seed : plan.seeds()) {
      plan.settings().forEach(setting -> blocks.add(new Block(setting, seed)));
    }
    return blocks;
  }

  /** What a block's cells rest on. */
  public List<StudyStep> trainings(Block block) {
    List<StudyStep> steps = new ArrayList<>();
    steps.add(train(StudyStep.Kind.ORIGINAL, original(block), block, block.seed, List.of(), "auto"));
    if (usesOperators(block)) {
      List<String> args = new ArrayList<>(List.of("prepare", "--adapter", out(original(block))));
      args.addAll(modelAndData(block));
      steps.add(new StudyStep(StudyStep.Kind.OPERATORS, "operators/" + block.name(), args, null, false));
    }
    block.setting.methods().stream().map(this::shards).filter(k -> k > 0).distinct().forEach(
        k -> steps.add(sharded(block, k)));
    for (String request : block.setting.requests()) {
      List<String> edits = edits(request);
      steps.add(train(StudyStep.Kind.RETRAINED, retrained(block, request), block, block.seed, edits, "off"));
      for (int i = 1; i <= plan.noise(); i++) {
        long other = block.seed + OTHER_SEED * i;
        steps.add(train(StudyStep.Kind.NOISE, noise(block, request, i), block, other, edits, "off"));
      }
    }
    return steps;
  }

  /**
   * The cells of a block.
   *
   * @param chosen for methods with a grid, the point that reports where the block's seed does not choose; a method that
   *     is missing here waits
   */
  public List<StudyCell> cells(Block block, Map<String, Map<String, Double>> chosen) {
    List<StudyCell> cells = new ArrayList<>();
    for (String request : block.setting.requests()) {
      for (String method : block.setting.methods()) {
        Map<String, List<Double>> grid = plan.methods().get(method).grid();
        if (grid.isEmpty()) {
          cells.add(cell(block, request, method, Map.of()));
        } else if (plan.tuning().contains(block.seed)) {
          points(grid).forEach(point -> cells.add(cell(block, request, method, point)));
        } else if (chosen.containsKey(block.setting.name() + "/" + method)) {
          cells.add(cell(block, request, method, chosen.get(block.setting.name() + "/" + method)));
        }
      }
    }
    return cells;
  }

  /** All combinations of a grid's values. */
  static List<Map<String, Double>> points(Map<String, List<Double>> grid) {
    List<Map<String, Double>> points = List.of(Map.of());
    for (Map.Entry<String, List<Double>> axis : grid.entrySet()) {
      List<Map<String, Double>> more = new ArrayList<>();
      for (Map<String, Double> point : points) {
        for (double value : axis.getValue()) {
          Map<String, Double> next = new LinkedHashMap<>(point);
          next.put(axis.getKey(), value);
          more.add(next);
        }
      }
      points = more;
    }
    return points;
  }

  private StudyCell cell(Block block, String request, String method, Map<String, Double> point) {
    String label = method + (point.isEmpty() ? "" : " " + label(point));
    String name = block.name() + "/" + request + "/" + label;
    String start = shards(method) > 0 ? sharded(block, shards(method)).name() : original(block);
    List<String> unlearn = new ArrayList<>(List.of("unlearn", "--adapter", out(start)));
    unlearn.addAll(modelAndData(block));
    unlearn.addAll(plan.requests().get(request).stream().map(this::placed).toList());
    unlearn.addAll(plan.methods().get(method).options());
    point.forEach((setting, value) -> unlearn.addAll(List.of("--set", setting + "=" + value)));
    unlearn.addAll(List.of("--seed", Long.toString(block.seed), "--out", out("unlearned/" + name)));
    StudyStep unlearned =
        new StudyStep(StudyStep.Kind.UNLEARNED, "unlearned/" + name, unlearn, "unlearned/" + name, true);
    return new StudyCell(
        block.setting, request, method, point, block.seed, unlearned, assessment(block, request, name));
  }

  private StudyStep assessment(Block block, String request, String name) {
    List<String> args = new ArrayList<>(List.of("assess"));
    args.addAll(modelAndData(block));
    args.addAll(plan.requests().get(request).stream().map(this::placed).toList());
    args.addAll(
        List.of(
            "--original", out(original(block)),
            "--unlearned", out("unlearned/" + name),
            "--retrained", out(retrained(block, request))));
    if (plan.noise() > 0) {
      List<String> others = new ArrayList<>();
      for (int i = 1; i <= plan.noise(); i++) {
        others.add(out(noise(block, request, i)));
      }
      args.addAll(List.of("--noise", String.join(",", others)));
    }
    if (block.setting.heldOut() != null) {
      args.addAll(List.of("--held-out", StudyFolder.rows(block.setting.heldOut())));
    }
    args.addAll(plan.assess());
    args.addAll(List.of("--seed", Long.toString(block.seed), "--out", out("assessments/" + name)));
    return new StudyStep(
        StudyStep.Kind.ASSESSMENT, "assessments/" + name, args, "assessments/" + name, false);
  }

  private int shards(String method) {
    return plan.methods().get(method).shards();
  }

  private StudyStep sharded(Block block, int count) {
    String name = "sharded/" + block.name() + "/" + count;
    List<String> args = new ArrayList<>(List.of("train"));
    args.addAll(modelAndData(block));
    args.addAll(plan.trainings().get(block.setting.training()));
    args.addAll(
        List.of("--sisa", Integer.toString(count), "--seed", Long.toString(block.seed), "--out", out(name)));
    return new StudyStep(StudyStep.Kind.SHARDED, name, args, name, false);
  }

  private StudyStep train(
      StudyStep.Kind kind, String name, Block block, long seed, List<String> edits, String trajectory) {
    List<String> args = new ArrayList<>(List.of("train"));
    args.addAll(modelAndData(block));
    args.addAll(plan.trainings().get(block.setting.training()));
    args.addAll(edits);
    args.addAll(List.of("--trajectory", trajectory, "--seed", Long.toString(seed), "--out", out(name)));
    return new StudyStep(kind, name, args, name, false);
  }

  /** A request as options of {@code train}. */
  private List<String> edits(String request) {
    return plan.requests().get(request).stream()
        .map(word -> word.equals("--forget") ? "--without" : placed(word))
        .toList();
  }

  /** Files of requests lie below the root of all files; everything else stays. */
  private String placed(String word) {
    return plan.requests().values().stream().anyMatch(options -> isFile(options, word))
        ? StudyFolder.FILES + "/" + word
        : word;
  }

  private static boolean isFile(List<String> options, String word) {
    int at = options.indexOf("--replace");
    return at >= 0 && options.get(at + 1).equals(word);
  }

  private List<String> modelAndData(Block block) {
    return List.of(
        "--model", StudyFolder.FILES + "/" + plan.models().get(block.setting.model()),
        "--data", StudyFolder.rows(block.setting.data()));
  }

  private boolean usesOperators(Block block) {
    return block.setting.methods().stream()
        .map(method -> plan.methods().get(method).options())
        .anyMatch(options -> options.get(1).equals("recorded"));
  }

  private static String original(Block block) {
    return "original/" + block.name();
  }

  private static String retrained(Block block, String request) {
    return "retrained/" + block.name() + "/" + request;
  }

  private static String noise(Block block, String request, int i) {
    return "noise/" + block.name() + "/" + request + "/" + i;
  }

  private static String out(String name) {
    return StudyFolder.OUT + "/" + name;
  }

  /** As in {@code lr=0.001 epochs=5}. */
  static String label(Map<String, Double> point) {
    return point.entrySet().stream()
        .map(each -> each.getKey() + "=" + Setting.label(each.getValue()))
        .collect(Collectors.joining(" "));
  }
}
