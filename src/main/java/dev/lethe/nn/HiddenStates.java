package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Turn;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What enters the lowest adapted layer, computed once per row and kept: nothing below it depends on the
 * adapter or on dropout, so training, replay and products start there. Rows are told apart by their tokens.
 * A tape that starts here gives the same bytes as a whole one wherever a row's bytes do not depend on its
 * batch ({@link Backend#rowsIndependent}); elsewhere each row is computed by itself, so that bytes do not
 * depend on when that was.
 *
 * <p>Kept in memory, or in a folder, from where the next process takes them; up to a budget, past which
 * rows are computed each time. The states reveal the rows.
 */
public final class HiddenStates implements AutoCloseable {
  private final AdaptedModel model;
  private final int layer;
  private final HiddenStateStore store;
  private long computed;
  private long taken;
  private volatile boolean closed;

  private HiddenStates(AdaptedModel model, int layer, HiddenStateStore store) {
    this.model = model;
    this.layer = layer;
    this.store = store;
  }

  /**
   * Makes the model's tapes start at its lowest adapted layer from now on, until this is closed.
   *
   * @param folder where states are kept for the next process; null: in memory
   * @param budget bytes that they may take
   * @return null where there is nothing to gain: the lowest layer is adapted, or none is
   * @throws dev.lethe.LetheException where the folder holds states of another model, layer or device, or is damaged
   */
  public static HiddenStates keep(AdaptedModel model, Path folder, long budget) {
    int layer = model.lowestAdaptedLayer();
    if (layer <= 0) {
      return null;
    }
    Backend backend = model.backend();
    HiddenStateStore store =
        folder == null
            ? new HiddenStateMemory(backend.activationType(), budget)
            : HiddenStateFile.open(folder, identity(model, layer), backend.activationType(), budget);
    HiddenStates states = new HiddenStates(model, layer, store);
    model.startAt(states);
    return states;
  }

  /** What states depend on besides the row's tokens. */
  private static Map<String, String> identity(AdaptedModel model, int layer) {
    Backend backend = model.backend();
    Map<String, String> identity = new LinkedHashMap<>();
    identity.put("model_sha256", model.model().sha256());
    identity.put("layer", Integer.toString(layer));
    identity.put("device", backend.name());
    identity.put("weights", backend.productType().toString());
    identity.put("states", backend.activationType().toString());
    return identity;
  }

  /**
   * Makes the tapes of another adapter on the same model start here, too.
   *
   * @param other with the same lowest adapted layer
   */
  public void serve(AdaptedModel other) {
    if (other.model() != model.model() || other.lowestAdaptedLayer() != layer) {
      throw new ArgumentException(
          Text.format(
              "states that enter layer %d for an adapter from layer %d on, or for another model",
              layer, other.lowestAdaptedLayer()));
    }
    other.startAt(this);
  }

  /** The layer that the states enter. */
  public int layer() {
    return layer;
  }

  /** Features of a token's states, D. */
  long width() {
    return model.model().spec().hidden();
  }

  /** One line for people: what is kept, and how often it was of use. */
  public String report() {
    return Text.format(
        "hidden states that enter layer %d: %,d rows kept (%.1f of %.1f MiB); %,d rows computed, %,d taken from"
            + " there",
        layer,
        store.rows(),
        store.bytes() / 1048576.0,
        store.budget() / 1048576.0,
        computed,
        taken);
  }

  boolean isOpen() {
    return !closed;
  }

  /** Ends it; tapes are whole again. Closing twice is harmless. */
  @Override
  public void close() {
    closed = true;
    store.close();
  }

  /**
   * Fills the states of a batch, computing those that are not kept.
   *
   * @param out (N,D) in activation format
   */
  void fill(Batch batch, Tensor out) {
    Backend backend = model.backend();
    try (Turn.Taken mine = backend.turn().take()) {
      fill(batch, out, backend);
    }
  }

  private void fill(Batch batch, Tensor out, Backend backend) {
    Tensor states = host(batch.packing().rows());
    Map<String, Integer> missing = new LinkedHashMap<>();
    String[] keys = new String[batch.size()];
    for (int i = 0; i < keys.length; i++) {
      keys[i] = key(batch, i);
      if (!store.read(keys[i], of(states, batch, i))) {
        missing.putIfAbsent(keys[i], i);
      }
    }
    taken += keys.length - missing.size();
    if (!missing.isEmpty()) {
      compute(batch, keys, missing, states);
    }
    backend.upload(states, out);
  }

  /** Runs the layers below on the missing rows, keeps what fits and fills in all of them. */
  private void compute(
      Batch batch, String[] keys, Map<String, Integer> missing, Tensor states) {
    List<String> wanted = List.copyOf(missing.keySet());
    List<Sample> samples = missing.values().stream().map(batch.samples()::get).toList();
    Map<String, Tensor> made = new LinkedHashMap<>();
    int together = model.backend().rowsIndependent() ? samples.size() : 1;
    for (int first = 0; first < samples.size(); first += together) {
      List<Tensor> part = compute(samples.subList(first, first + together));
      for (int i = 0; i < together; i++) {
        store.write(wanted.get(first + i), part.get(i));
        made.put(wanted.get(first + i), part.get(i));
      }
    }
    computed += samples.size();
    for (int i = 0; i < keys.length; i++) {
      if (made.containsKey(keys[i])) {
        of(states, batch, i).copyFrom(made.get(keys[i]));
      }
    }
  }

  /** The states of samples that are run together. */
  private List<Tensor> compute(List<Sample> samples) {
    try (Batch batch = Batch.of(samples, model.backend())) {
      Tensor all = host(batch.packing().rows());
      model.lowerStates(batch, layer, all);
      return IntStream.range(0, samples.size()).mapToObj(i -> of(all, batch, i)).toList();
    }
  }

  private Tensor host(long rows) {
    return store.allocate(Shape.of(rows, width()));
  }

  private static Tensor of(Tensor states, Batch batch, int sample) {
    return states.slice(batch.packing().start(sample), batch.packing().length(sample));
  }

  private static String key(Batch batch, int sample) {
    int[] ids = batch.samples().get(sample).inputIds();
    return Sha256.start().add(Arrays.copyOf(ids, batch.packing().length(sample))).hex();
  }
}
