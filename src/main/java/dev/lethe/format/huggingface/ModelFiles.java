package dev.lethe.format.huggingface;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/**
 * The files of a base model, with the names and the configuration of a Hugging Face folder whatever their own format
 * is. Weights are views into mapped files or copies on the Java heap; they die with {@link #close}.
 */
public interface ModelFiles extends AutoCloseable {
  /** The folder, or the file that holds all. */
  Path path();

  /** The configuration, checked. */
  HfConfig config();

  /** The whole {@code config.json}, or what it would be, a copy. */
  ObjectNode configJson();

  /** One weight; throws where there is none of this name. */
  Tensor tensor(String name);

  default boolean has(String name) {
    return tensorNames().contains(name);
  }

  /** The format of a weight, without reading it. */
  DType dtype(String name);

  /** The shape of a weight, without reading it. */
  Shape shape(String name);

  /** The names of all weights, in the order of the files. */
  Set<String> tensorNames();

  /** SHA-256 of configuration and weights, in hex; reads every byte on the first call. */
  String sha256();

  /**
   * What every adapter of this model must hold beside its pairs, by PEFT's key: tensors of the adapter that these files
   * were opened with, which are frozen weights here.
   */
  default Map<String, Tensor> carried() {
    return Map.of();
  }

  /** Unmaps the weights. Closing twice is harmless. */
  @Override
  void close();
}
