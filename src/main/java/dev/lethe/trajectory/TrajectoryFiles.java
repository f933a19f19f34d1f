package dev.lethe.trajectory;

import dev.lethe.LetheException;
import dev.lethe.tensor.DType;
import java.nio.file.Path;

/** Where a trajectory lies and what its files are called. The page docs/trajectory.md describes them. */
public final class TrajectoryFiles {
  /** The folder in an adapter's folder. */
  public static final String FOLDER = "lethe_trajectory";

  static final String FORMAT = "lethe-trajectory/1";
  static final String CONFIG = "adapter_config.json";
  static final String ADAPTER = "adapter_model.safetensors";
  static final String HEADER = "trajectory.json";
  static final String ROWS = "rows.jsonl";
  static final String STEPS = "steps.jsonl";
  static final String INITIAL = "initial.safetensors";
  static final String GRADIENTS = "gradients.bin";
  static final long MAX_TEXT = 1L << 30;

  private static final long STEP_TEXT = 40;
  private static final long SLOT_TEXT = 8;
  private static final long ROW_TEXT = 120;

  private TrajectoryFiles() {}

  /** The trajectory's folder of an adapter. */
  public static Path folder(Path adapterDir) {
    return adapterDir.resolve(FOLDER);
  }

  /** A number format of gradients by its name, {@code bf16} or {@code f32}. */
  public static DType dtype(String name, String where) {
    return switch (name) {
      case "bf16" -> DType.BF16;
      case "f32" -> DType.F32;
      default ->
          throw new LetheException(
              where, "gradients are not kept in this number format", "bf16 or f32", name,
              "Choose one of them.");
    };
  }

  static String name(DType dtype) {
    return dtype == DType.BF16 ? "bf16" : "f32";
  }

  /**
   * About how many bytes a trajectory takes: the gradients, θ₀ and text.
   *
   * @param slots of a step
   */
  public static long size(long steps, long slots, long rows, long parameters, DType dtype) {
    double gradients = (double) steps * parameters * dtype.bytes();
    double text = (double) steps * (STEP_TEXT + slots * SLOT_TEXT) + (double) rows * ROW_TEXT;
    return (long) (gradients + (double) parameters * Float.BYTES + text);
  }
}
