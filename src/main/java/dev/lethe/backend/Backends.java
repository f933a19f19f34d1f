package dev.lethe.backend;

import dev.lethe.Text;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Chooses a backend once, and says why. */
public final class Backends {
  /** The device name that leaves the choice to {@link #select}. */
  public static final String AUTO = "auto";

  /** What a device's name ends with in {@link #selectAll} where all of the kind are meant. */
  public static final String ALL = ":all";

  private static final Pattern NUMBERED = Pattern.compile("([a-z]+):(\\d{1,4})");

  private Backends() {}

  /**
   * Opens the named backend, or for {@value #AUTO} the usable one of the highest priority.
   *
   * @param device a name, which may be followed by the number of a device: {@code cuda:1}
   * @throws EnvironmentException where the name is unknown or that backend cannot run here
   */
  public static Backend select(String device, BackendOptions options) {
    if (device.endsWith(ALL)) {
      throw new EnvironmentException(
          "device " + device, "is several devices, and this works on one", "Name one, as in --device cuda:0.");
    }
    Matcher numbered = NUMBERED.matcher(device);
    return numbered.matches()
        ? open(numbered.group(1), options.withDevice(Integer.parseInt(numbered.group(2))))
        : open(device, options);
  }

  /**
   * Opens every device of a kind.
   *
   * @param device {@code cuda:all}; any other name gives the one backend of {@link #select}
   * @return at least one, in the order of their numbers; whoever asks closes them
   * @throws EnvironmentException where there is none, or they do not all compute with the same rounding
   */
  public static List<Backend> selectAll(String device, BackendOptions options) {
    if (!device.endsWith(ALL)) {
      return List.of(select(device, options));
    }
    String kind = device.substring(0, device.length() - ALL.length());
    List<Backend> opened = new ArrayList<>();
    try {
      opened.add(open(kind, options.withDevice(0)));
      int count = provider(opened.getFirst().name()).devices();
      while (opened.size() < count) {
        Backend next = open(kind, options.withDevice(opened.size()));
        opened.add(next);
        requireSame(device, opened.getFirst(), next);
      }
      return opened;
    } catch (RuntimeException | Error e) {
      opened.forEach(Backend::close);
      throw e;
    }
  }

  private static void requireSame(String device, Backend first, Backend other) {
    if (!first.arithmetic().equals(other.arithmetic())) {
      throw new EnvironmentException(
          "device " + device,
          Text.format(
              "its devices are not of one kind, so results would depend on how rows are shared out: %s, and %s",
              first.description(), other.description()),
          "Leave those of one kind by CUDA_VISIBLE_DEVICES, or name one: --device cuda:0.");
    }
  }

  private static BackendProvider provider(String name) {
    return providers().stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
  }

  private static Backend open(String device, BackendOptions options) {
    List<BackendProvider> all = providers();
    EnvironmentException refusal = null;
    for (BackendProvider provider : all) {
      boolean wanted =
          device.equals(AUTO) ? provider.priority() >= 0 : provider.name().equals(device);
      if (!wanted) {
        continue;
      }
      BackendProvider.Availability found = provider.availability(options);
      if (found.usable()) {
        Backend backend = provider.open(options);
        return options.timed() && !provider.timesItself() ? TimedBackend.of(backend) : backend;
      }
      refusal =
          new EnvironmentException(
              "device " + provider.name(),
              "cannot run here: " + found.detail(),
              found.remedy() == null ? "Choose another --device." : found.remedy());
    }
    if (refusal != null) {
      throw refusal;
    }
    String names = all.stream().map(BackendProvider::name).collect(Collectors.joining(", "));
    throw new EnvironmentException(
        "device " + device, "is not known", "Choose one of: auto, " + names + ".");
  }

  /** What every backend says about this machine, best first. */
  public static List<Explanation> explain() {
    return providers().stream()
        .map(p -> new Explanation(p.name(), p.priority(), p.availability(BackendOptions.DEFAULT)))
        .toList();
  }

  /** What a usable backend is made of. */
  public static List<BackendProvider.Part> parts(String name) {
    return providers().stream()
        .filter(provider -> provider.name().equals(name))
        .flatMap(provider -> provider.parts().stream())
        .toList();
  }

  /** Backends that {@value #AUTO} would prefer to the one chosen, whose hardware is here and does not work. */
  public static List<Explanation> passedOver(Backend chosen) {
    return explain().stream()
        .takeWhile(other -> !other.name().equals(chosen.name()))
        .filter(other -> other.priority() >= 0 && other.availability().present())
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
