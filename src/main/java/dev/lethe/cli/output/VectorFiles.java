package dev.lethe.cli.output;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Vectors in the space of an adapter's parameters as safetensors files under PEFT's names. */
public final class VectorFiles {
  private VectorFiles() {}

  /** Writes a vector (P), whole or not at all. */
  public static void write(Path file, AdaptedModel model, Tensor flat, Map<String, String> metadata) {
    ParameterLayout layout = model.layout();
    SafeTensors.write(file, layout.toHost(model.backend(), flat), metadata);
  }

  /** Fills a vector (P) from a file whose names and shapes must be the adapter's. */
  public static void read(Path file, AdaptedModel model, Tensor flat) {
    Backend backend = model.backend();
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      tensors.names().forEach(name -> named.put(name, tensors.get(name)));
      requireOneVector(file, model.layout(), named);
      model.layout().fromHost(backend, named, flat, file.toString());
    }
  }

  /** Refuses gradients that were written row by row, which are many vectors. */
  private static void requireOneVector(Path file, ParameterLayout layout, Map<String, Tensor> named) {
    for (ParameterLayout.Parameter p : layout.parameters()) {
      Tensor tensor = named.get(p.name());
      if (tensor != null && tensor.shape().rank() == p.shape().rank() + 1) {
        throw new LetheException(
            file.toString(),
            "the file holds a vector for every row, as gradients --per-sample writes them",
            "one vector: '" + p.name() + "' " + p.shape(),
            tensor.dim(0) + " of them",
            "Write the mean gradient, without --per-sample, or take one row out of the file.");
      }
    }
  }
}
