package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.DType;
import java.util.List;
import java.util.Locale;

/** In which form the matrices of a model lie in memory; the numbers that are computed are the same. */
public enum WeightStorage {
  /** As {@link #F32} where that fits into memory, else as {@link #BF16} where the file has that. */
  AUTO,
  /** Converted once to the format in which the device multiplies. */
  F32,
  /** In the mapped file, in bfloat16, and converted where they are multiplied. */
  BF16,
  /** As {@link #BF16} where that can be, else as {@link #AUTO}: converting first pays off after some passes only. */
  FEW_PASSES;

  /** Those that one can ask for. */
  public static final List<WeightStorage> ASKED = List.of(AUTO, F32, BF16);

  /** As on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Whether matrices stay in their file.
   *
   * @throws LetheException where that is asked for and would not be what it says
   */
  boolean left(ModelFiles files, TransformerSpec spec, Backend backend) {
    String other = other(files, spec);
    return switch (this) {
      case F32 -> {
        if (backend.productType() == DType.BF16) {
          throw refused(files, "float32 products", "device " + backend.name() + " in bfloat16");
        }
        yield false;
      }
      case BF16 -> {
        if (!backend.leavesWeights()) {
          throw refused(files, "a device that can, as cpu in float32", "device " + backend.name());
        }
        if (other != null) {
          throw refused(files, "weights in bfloat16, which would not be rounded", other);
        }
        yield true;
      }
      case FEW_PASSES -> backend.leavesWeights() && other == null;
      case AUTO ->
          backend.leavesWeights()
              && other == null
              && !MemoryNeed.fits(MemoryNeed.toWorkWith(spec, files, backend), backend);
    };
  }

  private LetheException refused(ModelFiles files, String expected, String got) {
    return new LetheException(
        files.path().toString(),
        "weights cannot be kept in " + label() + " here",
        expected,
        got,
        "Omit --weights: the default does what fits.");
  }

  /** The first matrix that is in another format; null where there is none. */
  private static String other(ModelFiles files, TransformerSpec spec) {
    return spec.weights().entrySet().stream()
        .filter(weight -> weight.getValue().rank() == 2)
        .map(weight -> weight.getKey())
        .filter(files::has)
        .filter(name -> files.dtype(name) != DType.BF16)
        .map(name -> "'" + name + "' in " + files.dtype(name))
        .findFirst()
        .orElse(null);
  }
}
