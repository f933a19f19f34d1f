package dev.lethe.session;

import dev.lethe.backend.Backend;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.ThreadWorkers;
import dev.lethe.format.gguf.BaseModels;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.WeightStorage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The devices of a session besides its own. Each has the model once, and a copy of every adapter that is opened. */
final class FurtherDevices implements Sharing, AutoCloseable {
  private final List<Device> devices = new ArrayList<>();

  /**
   * @param backends closed with this
   */
  FurtherDevices(Path model, List<Backend> backends) {
    for (Backend backend : backends) {
      devices.add(
          new Device(backend, new OpenModel(BaseModels.open(model), backend), new KeptStates(backends.size() + 1)));
    }
  }

  private record Device(Backend backend, OpenModel model, KeptStates states) {
    private RowWorker<AdaptedModel> open(Path adapterDir) {
      model.freezePartsOf(adapterDir);
      try (PeftFolder peft = PeftFolder.open(adapterDir)) {
        LoraAdapter adapter = LoraAdapter.open(peft, model.get(note -> {}));
        AdaptedModel adapted = new AdaptedModel(adapter.model(), adapter);
        states.of(adapted);
        return new RowWorker<>(adapted, adapter);
      }
    }

    private void close() {
      states.close();
      model.close();
      backend.close();
    }
  }

  /** In which form the weights lie in memory, from when they are loaded on. */
  void withWeights(WeightStorage storage) {
    devices.forEach(device -> device.model.withWeights(storage));
  }

  /** Whether hidden states are kept, in memory, of the adapters that are opened from now on. */
  void keepStates(boolean wanted) {
    for (Device device : devices) {
      if (wanted) {
        device.states.in(null);
      } else {
        device.states.none();
      }
    }
  }

  @Override
  public RowWorkers<AdaptedModel> workers(Path model, Path adapter, AdaptedModel here) {
    List<Supplier<RowWorker<AdaptedModel>>> workers = new ArrayList<>();
    workers.add(() -> new RowWorker<>(here.alone(), () -> {}));
    devices.forEach(device -> workers.add(() -> device.open(adapter)));
    return new ThreadWorkers<>(workers);
  }

  @Override
  public void close() {
    devices.forEach(Device::close);
  }
}
