package dev.lethe.session;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HiddenStates;
import dev.lethe.session.machine.Machine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The hidden states that are kept of one model on one device: once for each layer that is the lowest of an adapter. A
 * folder has those of the first such layer alone.
 */
final class KeptStates implements AutoCloseable {
  private final int devices;
  private final Map<Integer, HiddenStates> byLayer = new TreeMap<>();
  private boolean wanted = true;
  private Path folder;

  /**
   * @param devices that keep some in the memory of this machine
   */
  KeptStates(int devices) {
    this.devices = devices;
  }

  /** Where adapters that are opened from now on keep them; null: in memory. */
  synchronized void in(Path where) {
    wanted = true;
    folder = where;
  }

  /** Adapters that are opened from now on keep none. */
  synchronized void none() {
    wanted = false;
  }

  /** Makes the tapes of an adapter start at what is kept, or will be. */
  synchronized void of(AdaptedModel adapted) {
    int layer = adapted.lowestAdaptedLayer();
    HiddenStates there = byLayer.get(layer);
    if (!wanted || layer <= 0 || there == null && folder != null && !byLayer.isEmpty()) {
      return;
    }
    if (there == null) {
      byLayer.put(layer, HiddenStates.keep(adapted, folder, budget()));
    } else {
      there.serve(adapted);
    }
  }

  /** One line for people; null where nothing is kept. */
  synchronized String report() {
    return byLayer.isEmpty()
        ? null
        : byLayer.values().stream().map(HiddenStates::report).collect(Collectors.joining("; "));
  }

  private long budget() {
    if (folder == null) {
      return Machine.current().availableMemory() / 8 / devices;
    }
    try {
      return Files.createDirectories(folder).toFile().getUsableSpace() / 4;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public synchronized void close() {
    byLayer.values().forEach(HiddenStates::close);
    byLayer.clear();
  }
}
