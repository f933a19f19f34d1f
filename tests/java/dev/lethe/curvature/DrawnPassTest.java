package dev.lethe.curvature;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.lethe.autograd.AdapterVisitor;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Passes backward with drawn labels, with and without the losses' own adjoints. */
class DrawnPassTest {
  private static final long SEED = 1312;
  private static final int DRAWS = 3;

  @TempDir Path dir;

  /** Each adapter's h and ȳ, by its place in θ. */
  private static final class Kept {
    final Map<Long, double[]> h = new TreeMap<>();
    final Map<Long, double[]> gy = new TreeMap<>();

    AdapterVisitor visitor(Backend backend) {
      return (slot, xa, u, low, high) -> {
        assertEquals(1, low.dim(0));
        assertEquals(1, high.dim(0));
        h.put(slot.aOffset(), HostTensors.doubles(backend, low));
        gy.put(slot.aOffset(), HostTensors.doubles(backend, high));
      };
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void ownAdjointsFromADrawingPassAreThoseOfAPassOfTheirOwn(String device) {
    try (Backend backend = Backends.select(device, new BackendOptions(2));
        TinyModels.Tiny tiny = TinyModels.open(dir, new TinyModels.Dims(2, 12, 17, 2, 1, 23, 64, ""), backend, SEED);
        LoraAdapter adapter = TinyModels.adapter(tiny.model(), 3, 4, TinyModels.ALL_TARGETS, SEED)) {
      List<Sample> samples = TinyModels.samples(3, 23, 4, 11, SEED);
      AdaptedModel model = new AdaptedModel(tiny.model(), adapter);
      Function<AdapterVisitor, List<double[]>> draw =
          own -> {
            List<double[]> made = new ArrayList<>();
            try (DrawnPass pass = new DrawnPass(model, samples, adapter.theta());
                FactorStatistics statistics = new FactorStatistics(backend, model.adapted())) {
              pass.draw(DRAWS, SEED, statistics, drawn -> made.add(HostTensors.doubles(backend, drawn)), own);
              statistics.toHost().values().forEach(sum -> made.add(sum.toDoubles()));
            }
            return made;
          };
      Kept together = new Kept();
      List<double[]> beside = draw.apply(together.visitor(backend));
      List<double[]> withoutOwn = draw.apply(null);
      Kept alone = new Kept();
      try (DrawnPass pass = new DrawnPass(model, samples, adapter.theta())) {
        pass.linearization().forEachAdapter(alone.visitor(backend));
      }
      assertEquals(withoutOwn.size(), beside.size());
      for (int i = 0; i < beside.size(); i++) {
        String what = i == 0 ? "drawn gradients" : "statistics " + i;
        assertArrayEquals(withoutOwn.get(i), beside.get(i), what + ", seed " + SEED);
      }
      assertFalse(alone.h.isEmpty());
      assertEquals(alone.h.keySet(), together.h.keySet());
      for (long place : alone.h.keySet()) {
        assertArrayEquals(alone.h.get(place), together.h.get(place), "h at " + place + ", seed " + SEED);
        assertArrayEquals(alone.gy.get(place), together.gy.get(place), "gy at " + place + ", seed " + SEED);
      }
    }
  }
}
