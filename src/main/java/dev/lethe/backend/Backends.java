package dev.lethe.backend;

import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Chooses a backend once, and says why. */
public final class Backends {
  /** The device name that leaves the choice to {@link #select}. */
  public static final String AUTO = "auto";

  private Backends() {}

  /**
   * Opens the named backend, or for {@value #AUTO} the usable one of the highest priority.
   *
   * @throws EnvironmentException where the name is unknown or that backend cannot run here
   */
  public static Backend select(String device, BackendOptions options) {
    List<BackendProvider> all = providers();
    for (BackendProvider provider : all) {
      boolean wanted =
          device.equals(AUTO) ? provider.priority() >= 0 : provider.name().equals(device);
      if (!wanted) {
        continue;
      }
      BackendProvider.Availability found = provider.availability();
      if (found.usable()) {
        return provider.open(options);
      }
      if (!device.equals(AUTO)) {
        throw new EnvironmentException(
            "device " + device,
            "cannot run here: " + found.detail(),
            found.remedy() == null ? "Choose another --device." : found.remedy());
      }
    }
    String names = all.stream().map(BackendProvider::name).collect(Collectors.joining(", "));
    throw new EnvironmentException(
        "device " + device, "is not known", "Choose one of: auto, " + names + ".");
  }

  /** What every backend says about this machine, best first. */
  public static List<Explanation> explain() {
    return providers().stream()
        .map(p -> new Explanation(p.name(), p.priority(), p.availability()))
        .toList();
  }

  private static List<BackendProvider> providers() {
    return ServiceLoader.load(BackendProvider.class, Backends.class.getClassLoader()).stream()
        .map(ServiceLoader.Provider::get)
        .sorted(
            Comparator.comparingInt(BackendProvider::priority)
                .reversed()
                .thenComparing(BackendProvider::name))
        .toList();
  }

  /** One backend's word about this machine. */
  public record Explanation(
      String name, int priority, BackendProvider.Availability availability) {}
}
