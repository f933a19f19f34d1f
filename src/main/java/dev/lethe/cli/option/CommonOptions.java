package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider.Availability;
import dev.lethe.backend.Backends;
import dev.lethe.backend.Backends.Explanation;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.tensor.DType;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import picocli.CommandLine.Option;

/** What every command that computes takes. */
public final class CommonOptions {
  private static final String ROUNDED_PRODUCTS =
      "lethe: --dtype bf16 on cpu rounds both factors of products with frozen weights, relative error up to"
          + " 2^-8 per factor; their sums and all else are float32";

  private static final int THREADS_PER_PROCESSOR = 4;
  private static final int LEAST_MOST_THREADS = 64;

  @Option(
      names = "--device",
      paramLabel = "D",
      defaultValue = "auto",
      description =
          "auto, cpu, cuda (or cuda:1 for the second GPU, cuda:all for all of them) or reference (default: auto, the"
              + " best that works here)")
  String device;

  @Option(
      names = "--dtype",
      paramLabel = "T",
      description =
          "number format: f32, f64 or bf16 (default: the device's own; cuda takes bf16, its own, or f32; cpu takes f32, its own, or bf16 for products with frozen weights)")
  public String dtype;

  @Option(
      names = "--threads",
      paramLabel = "N",
      defaultValue = "0",
      description = "worker threads of the CPU (default: one per processor)")
  public int threads;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "0",
      description = "fixes everything random (default: ${DEFAULT-VALUE})")
  public long seed;

  /** Refuses what cannot be meant, before anything is opened. */
  public void check(LetheCommand command) {
    int processors = Runtime.getRuntime().availableProcessors();
    int most = Math.max(LEAST_MOST_THREADS, THREADS_PER_PROCESSOR * processors);
    command.require(
        threads >= 0 && threads <= most,
        Text.format("--threads is 0 (one per processor) to %d on this machine of %d processors", most, processors),
        threads);
    wantedFormat(command);
  }

  /** Opens the device that was asked for; refuses one that does not compute in the asked format. */
  public Backend openBackend(LetheCommand command) {
    return openBackend(command, false);
  }

  /** The same, with every kernel timed where that is asked for. */
  public Backend openBackend(LetheCommand command, boolean timed) {
    return open(command, timed, (name, options) -> List.of(Backends.select(name, options))).getFirst();
  }

  /** Opens all devices that were asked for, for a command that shares out its work over rows. */
  public List<Backend> openDevices(LetheCommand command) {
    List<Backend> devices = open(command, false, Backends::selectAll);
    if (devices.size() == 1 && device.endsWith(Backends.ALL)) {
      command.say(
          Text.format("--device %s: there is one device, %s, so nothing is shared", device, devices.getFirst().name()));
    }
    return devices;
  }

  private List<Backend> open(
      LetheCommand command, boolean timed, BiFunction<String, BackendOptions, List<Backend>> select) {
    check(command);
    SecondStart.whereItHelps();
    DType wanted = wantedFormat(command);
    String name = wanted == DType.F64 && device.equals(Backends.AUTO) ? "reference" : device;
    List<Backend> devices = select.apply(name, new BackendOptions(threads, wanted, -1, timed));
    Backend backend = devices.getFirst();
    command.computesOn(backend);
    if (device.equals(Backends.AUTO) && !command.output.quiet) {
      Backends.passedOver(backend).forEach(other -> command.console.err().println(unused(other)));
    }
    if (wanted != null && backend.productType() != wanted) {
      DType has = backend.productType();
      devices.forEach(Backend::close);
      throw new EnvironmentException(
          "device " + backend.name(),
          Text.format("computes in %s, not in %s", label(has), label(wanted)),
          "Omit --dtype; f64 is the format of --device reference, bf16 one of --device cuda and cpu.");
    }
    if (backend.productType() != backend.activationType() && !command.output.quiet) {
      command.console.err().println(ROUNDED_PRODUCTS);
    }
    return devices;
  }

  private static String unused(Explanation backend) {
    Availability found = backend.availability();
    return Text.format(
        "lethe: --device auto does not use %s: %s.%s",
        backend.name(), found.detail(), found.remedy() == null ? "" : " " + found.remedy());
  }

  private DType wantedFormat(LetheCommand command) {
    if (dtype == null) {
      return null;
    }
    return Arrays.stream(new DType[] {DType.F64, DType.F32, DType.BF16})
        .filter(type -> names(type).contains(dtype.toLowerCase(Locale.ROOT)))
        .findFirst()
        .orElseThrow(() -> command.usage("--dtype is one of f64, f32, bf16; got " + dtype));
  }

  /** What a number format may be called: as Lethe prints it, as PyTorch does, as benchmarks do. */
  private static List<String> names(DType type) {
    String bits = label(type).replaceAll("\\D", "");
    return label(type).startsWith("b")
        ? List.of(label(type), "bfloat16")
        : List.of(label(type), "float" + bits, "fp" + bits);
  }

  /** A number format as people write it. */
  public static String label(DType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }
}
