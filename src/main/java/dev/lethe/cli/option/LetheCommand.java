package dev.lethe.cli.option;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.autograd.PassWatch;
import dev.lethe.backend.Backend;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.OutputName;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.MemoryPlan;
import dev.lethe.session.machine.Work;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** What all commands share: where they print, how they refuse, how they report progress. */
public abstract class LetheCommand implements Callable<Integer> {
  private static final double NANOS = 1e9;

  public final Console console;

  @Mixin public OutputOptions output;

  @Spec private CommandSpec spec;

  private final Deque<AutoCloseable> held = new ArrayDeque<>();

  private Progress progress;
  private Backend device;
  private long planned;

  public LetheCommand(Console console) {
    this.console = console;
  }

  /** Does the work and returns an exit code. */
  public abstract int run();

  /** Refuses options that cannot be, as far as they tell without opening anything; {@link #run} begins with it. */
  public void check() {}

  @Override
  public final Integer call() {
    requireNamesOnce();
    try (Progress open = output.quiet ? Progress.silent() : Progress.on(console.err(), console.terminal())) {
      progress = open;
      long start = System.nanoTime();
      int code = PassWatch.during(open::onOperation, this::run);
      if (asksForTimes()) {
        say(took((System.nanoTime() - start) / NANOS));
      }
      return code;
    } finally {
      giveBack();
    }
  }

  /** Refuses options of NAME=VALUE that give a name two values. */
  private void requireNamesOnce() {
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      List<String> given = option.stringValues(); // names and values in turn
      if (option.getValue() instanceof Map<?, ?> values && given.size() > 2 * values.size()) {
        String all = String.join(", ", option.originalStringValues());
        throw usage(option.longestName() + " gives a name two values: " + all);
      }
    }
  }

  /** Whether the command ends with what it took: where it computes on a model. */
  private boolean asksForTimes() {
    return spec.findOption("--device") != null && spec.findOption("--model") != null;
  }

  private String took(double seconds) {
    OptionalLong peak = Machine.peakResidentMemory();
    return spec.name()
        + " took "
        + Progress.duration(seconds)
        + (peak.isPresent() ? ", memory at most " + Machine.bytes(peak.getAsLong()) : "")
        + (planned == 0
            ? ""
            : Text.format(
                ", tensors %s of %s planned",
                Machine.bytes(device.memoryUse().peakBytes()),
                Machine.bytes(planned)));
  }

  /** The device whose memory the command tells about at its end. */
  void computesOn(Backend first) {
    device = first;
  }

  /**
   * The batches with which work fits into memory.
   *
   * @param limits as they are asked for
   * @param fixed whether they are not made smaller
   * @throws dev.lethe.backend.EnvironmentException where it does not fit
   */
  public final BatchLimits fitting(
      MemoryPlan plan, Work work, List<Sample> rows, BatchLimits limits, boolean fixed) {
    MemoryPlan.Fit fit = plan.fitting(work, rows, limits, fixed);
    planned = Math.max(planned, fit.bytes());
    return fit.limits();
  }

  /** Keeps something until the command ends. */
  public final <T extends AutoCloseable> T held(T resource) {
    held.push(resource);
    return resource;
  }

  /** Takes the name of an output until the command ends; null where there is no output. */
  public final void take(Path out) {
    if (out != null) {
      held(OutputName.take(out));
    }
  }

  private void giveBack() {
    while (!held.isEmpty()) {
      try {
        held.pop().close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException("closing failed", e);
      }
    }
  }

  /** The progress of this run. */
  public final Progress progress() {
    return progress;
  }

  /** Prints a line of results. */
  public final void print(String line) {
    console.out().println(line);
  }

  /** Says a sentence on standard error, unless nothing is to be said. */
  public final void say(String words) {
    if (!output.quiet) {
      console.err().println("lethe: " + words);
    }
  }

  /** Prints a JSON value on one line; numbers that are none are null. */
  public final void print(JsonNode json) {
    console.out().println(StrictJson.line(json));
  }

  /** Stops here if the user asked for it and nothing is lost that was to be kept. */
  public final void stopIfAsked() {
    if (console.interrupt().requested()) {
      throw new InterruptedRun("stopped; nothing was written. Run the same command again.");
    }
  }

  /** Whether one of these options stands on the command line. */
  public final boolean given(List<String> options) {
    return options.stream().anyMatch(spec.commandLine().getParseResult()::hasMatchedOption);
  }

  /** Refuses the options where a rule of theirs does not hold. */
  public final void require(boolean holds, String rule, Object got) {
    if (!holds) {
      throw usage(rule + "; got " + got);
    }
  }

  /** What an option means; whoever refuses it refuses the option. */
  public final <T> T option(String name, Supplier<T> meaning) {
    try {
      return meaning.get();
    } catch (LetheException e) {
      String itself = name.substring(2) + ": ";
      String message = e.getMessage();
      throw usage(name + ": " + (message.startsWith(itself) ? message.substring(itself.length()) : message));
    }
  }

  /** A refusal of the options, exit code 2. */
  public final ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
