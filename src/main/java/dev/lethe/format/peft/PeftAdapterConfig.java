package dev.lethe.format.peft;

import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import tools.jackson.databind.node.ObjectNode;

/**
 * A LoRA adapter's {@code adapter_config.json}. Module questions are answered as PEFT 0.21 answers
 * them ({@code check_target_module_exists}, {@code get_pattern_key}); what would change the
 * mathematics and is not implemented, or not known, is refused by name. The file is kept
 * in {@link #raw} and written back as it was.
 *
 * @param r the rank of modules that {@code rankPattern} does not name
 * @param loraAlpha the alpha of modules that {@code alphaPattern} does not name
 * @param modulesToSave ends of the names of modules of which the file has whole copies; mostly empty
 * @param layersToTransform empty where all layers are meant
 * @param layersPattern the expressions for the name of the layer list; empty for any
 * @param rankPattern rank by expression over the end of a module's name, first match first
 * @param alphaPattern alpha by expression likewise
 * @param baseModelNameOrPath null where the file does not say
 * @param raw the file as it was read; changing it changes nothing here
 */
public record PeftAdapterConfig(
    int r,
    double loraAlpha,
    double loraDropout,
    ModuleSelector targetModules,
    ModuleSelector excludeModules,
    List<String> modulesToSave,
    List<Integer> layersToTransform,
    List<String> layersPattern,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern,
    boolean useRslora,
    String baseModelNameOrPath,
    ObjectNode raw) {
  private static final long MAX_BYTES = 16 << 20;
  /** The highest rank. */
  public static final int MAX_RANK = 1 << 16;

  /** The largest alpha. */
  public static final double MAX_ALPHA = 1e9;

  private static final int MAX_EXPRESSIONS = 1000;
  private static final String PLACE = "adapter_config.json";

  /** Copies what can change. */
  public PeftAdapterConfig {
    modulesToSave = List.copyOf(modulesToSave);
    layersToTransform = List.copyOf(layersToTransform);
    layersPattern = List.copyOf(layersPattern);
    rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
    alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
    raw = raw.deepCopy();
  }

  /** Reads and checks a file. */
  public static PeftAdapterConfig read(Path file) {
    return parse(StrictJson.readObject(file, MAX_BYTES), file.toString());
  }

  /** Reads and checks the fields of an {@code adapter_config.json}. */
  public static PeftAdapterConfig parse(ObjectNode json, String where) {
    JsonFields f = new JsonFields(json, where);
    AdapterConfigFields.check(f);
    f.required("r");
    ModuleSelector targets = ModuleSelector.parse(f, "target_modules");
    if (targets.isEmpty()) {
      f.required("target_modules");
      throw f.outOfRange("target_modules", json.get("target_modules"), "at least one module");
    }
    f.requireNotNull(List.of("lora_alpha", "lora_dropout"));
    Map<String, Integer> ranks = ranks(f);
    Map<String, Double> alphas = alphas(f);
    List<String> saved = f.strings("modules_to_save");
    requireFew(f, "rank_pattern", ranks.keySet());
    requireFew(f, "alpha_pattern", alphas.keySet());
    if (saved.size() > MAX_EXPRESSIONS) {
      throw f.outOfRange("modules_to_save", json.get("modules_to_save"), "at most " + MAX_EXPRESSIONS + " names");
    }
    PeftAdapterConfig config =
        new PeftAdapterConfig(
            (int) f.integer("r", 1, MAX_RANK),
            f.numberOr("lora_alpha", 8, 0, MAX_ALPHA),
            f.numberOr("lora_dropout", 0, 0, Math.nextDown(1.0)),
            targets,
            ModuleSelector.parse(f, "exclude_modules"),
            saved,
            f.oneOrMoreIntegers("layers_to_transform", 0, Integer.MAX_VALUE),
            layersPattern(f),
            ranks,
            alphas,
            f.flagOr("use_rslora", false),
            f.stringOr("base_model_name_or_path", null),
            (ObjectNode) StrictJson.parse(json.toString(), where));
    config.requireConsistent(f);
    return config;
  }

  /** The configuration of a new adapter, with the fields that PEFT writes. */
  public static PeftAdapterConfig create(
      int r,
      double loraAlpha,
      double loraDropout,
      List<String> targetModules,
      String baseModelNameOrPath) {
    ObjectNode json = StrictJson.newObject();
    json.put("base_model_name_or_path", baseModelNameOrPath);
    json.put("bias", "none");
    json.put("fan_in_fan_out", false);
    json.put("inference_mode", true);
    json.put("init_lora_weights", true);
    putNumber(json, "lora_alpha", loraAlpha);
    json.put("lora_dropout", loraDropout);
    json.putNull("modules_to_save");
    json.put("peft_type", "LORA");
    json.put("r", r);
    ModuleSelector.of(targetModules).putInto(json, "target_modules");
    json.put("task_type", "CAUSAL_LM");
    json.put("use_dora", false);
    json.put("use_rslora", false);
    return parse(json, PLACE);
  }

  /** The same adapter with other ranks and alphas for some modules, and with or without rsLoRA. */
  public PeftAdapterConfig withPatterns(
      Map<String, Integer> ranks, Map<String, Double> alphas, boolean rslora) {
    ObjectNode json = raw();
    ObjectNode rankNode = json.putObject("rank_pattern");
    ranks.forEach(rankNode::put);
    ObjectNode alphaNode = json.putObject("alpha_pattern");
    alphas.forEach((key, alpha) -> putNumber(alphaNode, key, alpha));
    json.put("use_rslora", rslora);
    return parse(json, PLACE);
  }

  /** The adapter that k of these make when their A's are stacked and their B's put side by side: rank k·r, the same s. */
  public PeftAdapterConfig stacked(int k) {
    double factor = useRslora ? Math.sqrt(k) : k;
    ObjectNode json = raw();
    json.put("r", r * k);
    putNumber(json, "lora_alpha", loraAlpha * factor);
    if (!rankPattern.isEmpty()) {
      ObjectNode ranks = json.putObject("rank_pattern");
      rankPattern.forEach((key, rank) -> ranks.put(key, rank * k));
    }
    if (!alphaPattern.isEmpty()) {
      ObjectNode alphas = json.putObject("alpha_pattern");
      alphaPattern.forEach((key, alpha) -> putNumber(alphas, key, alpha * factor));
    }
    return parse(json, PLACE);
  }

  /** The file's JSON, a copy. */
  @Override
  public ObjectNode raw() {
    return raw.deepCopy();
  }

  /** Whether the adapter has a pair for a linear module, by its name in the base model. */
  public boolean targets(String module) {
    return !excludeModules.selects(module, PLACE)
        && targetModules.selects(module, PLACE)
        && inTransformedLayer(module);
  }

  /** The rank of a module's pair. */
  public int rankOf(String module) {
    return rankPattern.getOrDefault(patternKey(rankPattern.keySet(), module), r);
  }

  /** The factor s of y = xWᵀ + s(xAᵀ)Bᵀ: alpha / r, or alpha / √r with rsLoRA. */
  public double scaleOf(String module) {
    double alpha = alphaPattern.getOrDefault(patternKey(alphaPattern.keySet(), module), loraAlpha);
    return alpha / (useRslora ? Math.sqrt(rankOf(module)) : rankOf(module));
  }

  private boolean inTransformedLayer(String module) {
    boolean named = targetModules.names() != null && targetModules.names().contains(module);
    if (layersToTransform.isEmpty() || named) {
      return true;
    }
    List<String> patterns = layersPattern.isEmpty() ? List.of("[^.]*") : layersPattern;
    String before = layersPattern.isEmpty() ? ".*?\\." : "(?:^|.*?\\.)";
    for (String pattern : patterns) {
      Matcher match =
          new ModulePattern(before, pattern, "\\.(?<idx>\\d+)\\.", PLACE).matchAtStart(module);
      if (match != null) {
        String digits = match.group("idx");
        return layersToTransform.stream().anyMatch(layer -> sameNumber(digits, layer));
      }
    }
    return false;
  }

  private static boolean sameNumber(String digits, int layer) {
    return digits.replaceFirst("^0+(?=.)", "").equals(Integer.toString(layer));
  }

  private static String patternKey(Iterable<String> keys, String module) {
    for (String key : keys) {
      boolean found =
          isPlain(key)
              ? endsWith(module, key)
              : new ModulePattern("(.*\\.)?(", key, ")$", PLACE).matchAtStart(module) != null;
      if (found) {
        return key;
      }
    }
    return module;
  }

  /** Whether an expression has no signs but the dot, which stands for any character. */
  private static boolean isPlain(String key) {
    return key.chars().allMatch(c -> c == '.' || c == '_' || c < 128 && Character.isLetterOrDigit(c));
  }

  /** Whether a name is a plain expression, or ends with a dot and it. */
  private static boolean endsWith(String module, String key) {
    int from = module.length() - key.length();
    if (from < 0 || from > 0 && module.charAt(from - 1) != '.') {
      return false;
    }
    for (int i = 0; i < key.length(); i++) {
      if (key.charAt(i) != '.' && key.charAt(i) != module.charAt(from + i)) {
        return false;
      }
    }
    return true;
  }

  /** Each expression is tried on every module. */
  private static void requireFew(JsonFields f, String field, Collection<String> keys) {
    if (keys.stream().filter(key -> !isPlain(key)).limit(MAX_EXPRESSIONS + 1).count() > MAX_EXPRESSIONS) {
      throw f.outOfRange(field, f.node().get(field), "at most " + MAX_EXPRESSIONS + " expressions beside plain names");
    }
  }

  private void requireConsistent(JsonFields f) {
    if (targetModules.regex() != null && !layersToTransform.isEmpty()) {
      throw f.unsupported(
          "layers_to_transform",
          "some layers while target_modules is an expression, which PEFT refuses too",
          "Put the layers into the expression");
    }
    targets("model.layers.0.self_attn.q_proj");
    rankOf("model.layers.0.self_attn.q_proj");
    scaleOf("model.layers.0.self_attn.q_proj");
  }

  private static List<String> layersPattern(JsonFields f) {
    return f.node().path("layers_pattern").isString()
        ? List.of(f.stringOr("layers_pattern", ""))
        : f.strings("layers_pattern");
  }

  private static Map<String, Integer> ranks(JsonFields f) {
    Map<String, Integer> ranks = new LinkedHashMap<>();
    JsonFields pattern = f.objectOrNull("rank_pattern");
    if (pattern != null) {
      pattern
          .node()
          .propertyNames()
          .forEach(key -> ranks.put(key, (int) pattern.integer(key, 1, MAX_RANK)));
    }
    return ranks;
  }

  private static Map<String, Double> alphas(JsonFields f) {
    Map<String, Double> alphas = new LinkedHashMap<>();
    JsonFields pattern = f.objectOrNull("alpha_pattern");
    if (pattern != null) {
      for (String key : pattern.node().propertyNames()) {
        alphas.put(key, pattern.number(key, pattern.required(key), 0, MAX_ALPHA));
      }
    }
    return alphas;
  }

  /** Whole numbers are written as integers, as PEFT's own are. */
  private static void putNumber(ObjectNode node, String field, double value) {
    if (value == Math.rint(value)) {
      node.put(field, (long) value);
    } else {
      node.put(field, value);
    }
  }
}
