package dev.lethe.replay.prepare;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.TrainingLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;

/** Copies of a preparation's parts without what comes from rows that were removed or replaced. */
record ReducedOperators(TrainingLog before, TrainingLog after) {
  /** Writes the copies to a new folder; what is derived from several parts is not copied. */
  void write(OperatorFiles source, OperatorFiles target, AdaptedModel model) {
    PreparationSettings settings = source.open(OperatorFiles.identity(before, model));
    try {
      Files.createDirectories(target.dir());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    target.create(OperatorFiles.identity(after, model), settings);
    new PreparationPlan(before, settings)
        .groups()
        .parallelStream()
        .forEach(group -> copyGroup(group.index(), source, target));
  }

  private void copyGroup(int index, OperatorFiles source, OperatorFiles target) {
    copySketch(source.sketch(index), target.sketch(index));
    copy(source.weights(index), target.weights(index), this::weights);
    copy(source.factors(index), target.factors(index), this::factors);
  }

  private void copySketch(Path from, Path to) {
    if (!Files.exists(from)) {
      return;
    }
    try (SafeTensors file = SafeTensors.open(from)) {
      int[] places = OperatorFiles.places(file.get(OperatorFiles.PLACES));
      Tensor rows = file.get(SketchBuffer.ROWS);
      List<Tensor> kept = new ArrayList<>();
      for (int first = 0; first < places.length; first++) {
        int end = first;
        while (end < places.length && same(places[end])) {
          end++;
        }
        if (end > first) {
          kept.add(rows.slice(first, end - first));
        }
        first = end;
      }
      if (!kept.isEmpty()) {
        int[] left = IntStream.of(places).filter(this::same).toArray();
        SafeTensors.writeParts(
            to,
            Map.of(SketchBuffer.ROWS, kept, OperatorFiles.PLACES, List.of(OperatorFiles.places(left))),
            Map.of());
      }
    }
  }

  /** The gradients of the steps that no changed row has a share in. */
  private void weights(SafeTensors file, Map<String, Tensor> kept) {
    for (int step : WeightGradients.steps(file)) {
      String places = OperatorFiles.placesOf(step);
      if (same(file.get(places))) {
        String prefix = places.substring(0, places.length() - OperatorFiles.PLACES.length());
        file.names().stream()
            .filter(name -> name.startsWith(prefix))
            .forEach(name -> kept.put(name, file.get(name)));
      }
    }
  }

  /** All statistics, unless a changed row has a share in them. */
  private void factors(SafeTensors file, Map<String, Tensor> kept) {
    if (same(file.get(OperatorFiles.PLACES))) {
      file.names().forEach(name -> kept.put(name, file.get(name)));
    }
  }

  private static void copy(
      Path from, Path to, BiConsumer<SafeTensors, Map<String, Tensor>> choice) {
    if (Files.exists(from)) {
      try (SafeTensors file = SafeTensors.open(from)) {
        Map<String, Tensor> kept = new LinkedHashMap<>();
        choice.accept(file, kept);
        if (!kept.isEmpty()) {
          SafeTensors.write(to, kept, Map.of());
        }
      }
    }
  }

  private boolean same(Tensor places) {
    return IntStream.of(OperatorFiles.places(places)).allMatch(this::same);
  }

  /** Whether a row is still what was trained on. */
  private boolean same(int place) {
    LoggedRow now = after.rows().get(place);
    return !now.removed() && now.equals(before.rows().get(place));
  }
}
