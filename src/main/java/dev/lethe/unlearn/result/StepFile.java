package dev.lethe.unlearn.result;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An {@link ExactStep} as a safetensors file: one tensor for each adapter tensor, under its PEFT
 * name, and where rounding needs them {@code lethe.undo.index} (I64, places in layout order) and
 * {@code lethe.undo.value}. Adding the named tensors to the adapter's is the step; the metadata
 * holds the hashes of the parameters before and after.
 */
public final class StepFile {
  private static final String FORMAT = "lethe-step/1";
  private static final String UNDO_INDEX = "lethe.undo.index";
  private static final String UNDO_VALUE = "lethe.undo.value";

  private StepFile() {}

  /** Writes a step of an adapter with the given layout, whole or not at all. */
  public static void write(Path file, ParameterLayout layout, ExactStep step) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (ParameterLayout.Parameter p : layout.parameters()) {
      tensors.put(p.name(), step.delta().section(p.offset(), p.shape()));
    }
    int places = step.undoIndex().length;
    if (places > 0) {
      Tensor index =
          Tensor.view(MemorySegment.ofArray(step.undoIndex()), DType.I64, Shape.of(places));
      Tensor value = HostTensors.zeros(step.delta().dtype(), places);
      for (int k = 0; k < places; k++) {
        value.set(k, step.undoValue()[k]);
      }
      tensors.put(UNDO_INDEX, index);
      tensors.put(UNDO_VALUE, value);
    }
    SafeTensors.write(
        file,
        tensors,
        Map.of(
            "format", FORMAT,
            "before_sha256", step.beforeSha256(),
            "after_sha256", step.afterSha256()));
  }

  /** Reads a step that was made for an adapter of the given layout. */
  public static ExactStep read(Path file, ParameterLayout layout, Backend backend) {
    try (SafeTensors tensors = SafeTensors.open(file);
        Scope scope = backend.openScope("step file")) {
      Map<String, String> metadata = tensors.metadata();
      if (!FORMAT.equals(metadata.get("format"))) {
        throw new LetheException(
            file.toString(),
            "this is no unlearning step",
            "metadata format '" + FORMAT + "'",
            "'" + metadata.get("format") + "'",
            "Give the step file that 'unlearn' wrote.");
      }
      Tensor flat = scope.allocate(backend.vectorType(), layout.size());
      layout.fromHost(backend, deltas(tensors), flat, file.toString());
      Tensor delta = HostTensors.download(backend, flat);
      return new ExactStep(
          delta,
          undoIndex(tensors, layout.size(), file),
          tensors.contains(UNDO_VALUE) ? tensors.get(UNDO_VALUE).toDoubles() : new double[0],
          metadata.get("before_sha256"),
          metadata.get("after_sha256"));
    }
  }

  /** θ ← θ + Δ on an adapter, in place. */
  public static void add(Path file, LoraAdapter adapter) {
    Backend backend = adapter.model().backend();
    ExactStep step = read(file, adapter.layout(), backend);
    Tensor theta = HostTensors.download(adapter);
    step.add(theta);
    backend.upload(theta, adapter.theta());
  }

  /**
   * θ ← θ − Δ on an adapter, in place.
   *
   * @return whether it was the adapter that the step led to; then the one before it is back exactly
   */
  public static boolean subtract(Path file, LoraAdapter adapter) {
    Backend backend = adapter.model().backend();
    ExactStep step = read(file, adapter.layout(), backend);
    Tensor theta = HostTensors.download(adapter);
    boolean exact = step.subtract(theta);
    backend.upload(theta, adapter.theta());
    return exact;
  }

  private static Map<String, Tensor> deltas(SafeTensors tensors) {
    Map<String, Tensor> named = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (!name.equals(UNDO_INDEX) && !name.equals(UNDO_VALUE)) {
        named.put(name, tensors.get(name));
      }
    }
    return named;
  }

  private static long[] undoIndex(SafeTensors tensors, long size, Path file) {
    if (!tensors.contains(UNDO_INDEX)) {
      return new long[0];
    }
    Tensor index = tensors.get(UNDO_INDEX);
    long values = tensors.contains(UNDO_VALUE) ? tensors.get(UNDO_VALUE).elements() : 0;
    long[] places = new long[Math.toIntExact(index.elements())];
    for (int k = 0; k < places.length; k++) {
      places[k] = (long) index.get(k);
      if (places[k] < 0 || places[k] >= size || values != places.length) {
        throw new LetheException(
            file + ", " + UNDO_INDEX + "[" + k + "]",
            "the undo table does not fit the step",
            Text.format("places below %d with one value each", size),
            Text.format("place %d, %d values", places[k], values),
            "Write the step again; the file is damaged.");
      }
    }
    return places;
  }
}
