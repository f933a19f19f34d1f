package dev.lethe.solve;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * A solver's state as host tensors: {@code vector/<name>}, {@code scalars}, {@code history} and
 * {@code problem}, which says what system they belong to, so that no other is continued by mistake.
 *
 * @param problem what a resumed solve must have in common with the one that was stopped
 */
record SolverState(String problem, double rhsNorm, double damping) {
  static final String HISTORY = "history";
  private static final String SCALARS = "scalars";
  private static final String PROBLEM = "problem";
  private static final String VECTOR = "vector/";

  static SolverState of(String solver, LinearProblem problem, double rhsNorm) {
    String words = Text.format("%s, %s, %s", solver, problem.curvature().name(), problem.rhs());
    return new SolverState(words, rhsNorm, problem.damping());
  }

  /** Copies everything to the Java heap. */
  Map<String, Tensor> capture(
      Backend backend, Map<String, Tensor> vectors, double[] scalars, double[] history) {
    Map<String, Tensor> state = new LinkedHashMap<>();
    vectors.forEach((name, vector) -> state.put(VECTOR + name, toHeap(backend, vector)));
    state.put(SCALARS, Tensor.of(Shape.of(scalars.length), scalars.clone()));
    state.put(HISTORY, Tensor.of(Shape.of(history.length), history.clone()));
    state.put(PROBLEM, identity());
    return state;
  }

  /** Overwrites the vectors and scalars with the state's. */
  void restore(
      Map<String, Tensor> state, Backend backend, Map<String, Tensor> vectors, double[] scalars) {
    double[] expected = identity().toDoubles();
    Tensor stored = require(state, PROBLEM, expected.length);
    for (int i = 0; i < expected.length; i++) {
      if (stored.get(i) != expected[i]) {
        throw refused(
            "it belongs to another system",
            Text.format("%s, ‖b‖ = %s, damping %s", problem, rhsNorm, damping),
            Text.format("‖b‖ = %s, damping %s, checksum %.0f", stored.get(1), stored.get(2), stored.get(0)));
      }
    }
    vectors.forEach(
        (name, vector) ->
            backend.upload(require(state, VECTOR + name, vector.elements()), vector));
    double[] saved = require(state, SCALARS, scalars.length).toDoubles();
    System.arraycopy(saved, 0, scalars, 0, scalars.length);
    if (!state.containsKey(HISTORY)) {
      throw refused("it lacks a tensor", HISTORY, state.keySet().toString());
    }
  }

  private Tensor identity() {
    CRC32C checksum = new CRC32C();
    checksum.update(problem.getBytes(StandardCharsets.UTF_8));
    return Tensor.of(Shape.of(3), checksum.getValue(), rhsNorm, damping);
  }

  private Tensor require(Map<String, Tensor> state, String name, long elements) {
    Tensor tensor = state.get(name);
    if (tensor == null || tensor.elements() != elements) {
      throw refused(
          "a tensor is missing or has another size", name + " of " + elements + " elements",
          tensor == null ? "none" : tensor.toString());
    }
    return tensor;
  }

  private static LetheException refused(String problem, String expected, String got) {
    return new LetheException(
        "saved solver state", problem, expected, got,
        "Resume with the options, model, adapter and data of the interrupted run, or start anew.");
  }

  private static Tensor toHeap(Backend backend, Tensor vector) {
    byte[] bytes = new byte[Math.toIntExact(vector.byteSize())];
    Tensor host = Tensor.view(MemorySegment.ofArray(bytes), vector.dtype(), vector.shape());
    backend.download(vector, host);
    return host;
  }
}
