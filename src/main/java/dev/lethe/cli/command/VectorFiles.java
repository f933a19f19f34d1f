package dev.lethe.cli.command;

import dev.lethe.backend.Backend;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Vectors in the space of an adapter's parameters as safetensors files under PEFT's names. */
final class VectorFiles {
  private VectorFiles() {}

  /** Writes a vector (P), whole or not at all. */
  static void write(Path file, AdaptedModel model, Tensor flat, Map<String, String> metadata) {
    ParameterLayout layout = model.layout();
    SafeTensors.write(file, layout.toHost(model.backend(), flat), metadata);
  }

  /** Fills a vector (P) from a file whose names and shapes must be the adapter's. */
  static void read(Path file, AdaptedModel model, Tensor flat) {
    Backend backend = model.backend();
    try (SafeTensors tensors = SafeTensors.open(file)) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      tensors.names().forEach(name -> named.put(name, tensors.get(name)));
      model.layout().fromHost(backend, named, flat, file.toString());
    }
  }
}
