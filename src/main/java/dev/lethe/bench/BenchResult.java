package dev.lethe.bench;

import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import tools.jackson.databind.JsonNode;

/**
 * A line of results, of {@code lethe bench} or of a PyTorch script with the same fields.
 *
 * @param peer program and version
 * @param machine the processor or GPU; empty where the line does not tell
 * @param workload model and batch by name
 * @param device where
 * @param dtype number format
 * @param batch samples
 * @param seq tokens of each
 * @param op what was timed
 * @param way how it was done
 * @param medianSeconds of several runs
 * @param peakBytes most memory; empty where it was not measured
 */
public record BenchResult(
    String peer,
    String machine,
    String workload,
    String device,
    String dtype,
    long batch,
    long seq,
    String op,
    String way,
    double medianSeconds,
    OptionalLong peakBytes) {
  private static final long LARGEST_FILE = 64 << 20;

  /**
   * The results in a file of JSON Lines. Lines of other kinds, as of kernels, and those that say that a way failed hold no result;
   * lines that are no JSON object are refused.
   */
  public static List<BenchResult> read(Path file) {
    List<BenchResult> results = new ArrayList<>();
    List<String> lines = lines(file);
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).isBlank()) {
        continue;
      }
      String where = file + ":" + (i + 1);
      JsonNode json = StrictJson.parse(lines.get(i), where);
      if (json.has("median_s")) {
        results.add(of(json, where));
      } else if (!json.isObject()) {
        throw wrong(where, "the line", "an object", StrictJson.describe(json));
      }
    }
    if (results.isEmpty()) {
      throw wrong(file.toString(), "the file", "results of a benchmark", "none");
    }
    return results;
  }

  private static List<String> lines(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new FormatException(
          Kind.FILE_MISSING,
          file.toString(),
          "there is no such file",
          "JSON Lines of lethe bench or of its PyTorch peer",
          "none",
          "Write them with: lethe bench > " + file.getFileName());
    }
    return StrictJson.readText(file, LARGEST_FILE).lines().toList();
  }

  private static BenchResult of(JsonNode json, String where) {
    JsonNode peak = json.path("peak_bytes");
    double median = number(json, "median_s", where).numberValue().doubleValue();
    if (!(median > 0 && median < Double.POSITIVE_INFINITY)) {
      throw wrong(where, "median_s", "seconds above 0", StrictJson.describe(json.get("median_s")));
    }
    return new BenchResult(
        text(json, "peer", where),
        json.path("machine").asString(""),
        text(json, "workload", where),
        text(json, "device", where),
        text(json, "dtype", where),
        count(json, "batch", where),
        count(json, "seq", where),
        text(json, "op", where),
        text(json, "way", where),
        median,
        peak.canConvertToLong() ? OptionalLong.of(peak.longValue()) : OptionalLong.empty());
  }

  private static String text(JsonNode json, String field, String where) {
    JsonNode value = json.path(field);
    if (!value.isString()) {
      throw wrong(where, field, "a text", value.isMissingNode() ? "nothing" : StrictJson.describe(value));
    }
    return value.asString();
  }

  private static JsonNode number(JsonNode json, String field, String where) {
    JsonNode value = json.path(field);
    if (!value.isNumber()) {
      throw wrong(where, field, "a number", value.isMissingNode() ? "nothing" : StrictJson.describe(value));
    }
    return value;
  }

  private static long count(JsonNode json, String field, String where) {
    JsonNode value = number(json, field, where);
    if (!value.canConvertToExactIntegral() || !value.canConvertToLong()) {
      throw wrong(where, field, "a whole number", StrictJson.describe(value));
    }
    return value.asLong();
  }

  private static FormatException wrong(String where, String what, String expected, String got) {
    return new FormatException(
        Kind.WRONG_TYPE,
        where,
        what + " is not what lethe bench writes",
        expected,
        got,
        "Keep only the lines that lethe bench or its PyTorch peer printed to standard output");
  }

  /** Whether the other was measured on the same shapes. */
  boolean sameShapes(BenchResult other) {
    return workload.equals(other.workload) && batch == other.batch && seq == other.seq;
  }

  /** As in {@code lethe 0.1.0, cpu, fp32}. */
  String source() {
    return peer + ", " + device + ", " + dtype;
  }
}
