package dev.lethe.cli.option;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.session.Unlearning;
import dev.lethe.train.Divisor;
import dev.lethe.train.SavedStates;
import dev.lethe.train.ShardedFolder;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.baseline.Baseline;
import dev.lethe.unlearn.baseline.Baselines;
import dev.lethe.unlearn.recording.ReplayOptions;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;

/** Which way an adapter is made to forget, and what belongs to the ways that follow its training. */
public final class MethodOptions {
  /** The methods. */
  public enum Method {
    RECORDED,
    EXACT,
    AVERAGED,
    SISA,
    INFLUENCE,
    PUBLISHED
  }

  /** Options that pose a linear system at the end of the training. */
  private static final List<String> SYSTEM =
      List.of(
          "--curvature", "--curvature-data", "--curvature-rows", "--solver", "--damping", "--l2",
          "--tolerance", "--max-iterations", "--outer-steps", "--outer-target", "--damping-sweep");

  /** Options that follow the training. */
  private static final List<String> FOLLOWING =
      List.of("--exact-head", "--budget", "--operator-every", "--measured-steps", "--operators", "--force");

  /** Options that say something of the new training, which a method that knows nothing of the old one has not. */
  private static final List<String> TRAINED = List.of("--divisor", "--trajectory", "--resume");

  @Option(
      names = "--method",
      paramLabel = "M",
      defaultValue = "auto",
      description =
          "recorded: replay the training from its trajectory without the rows; exact: train again without them;"
              + " averaged: one step from averages over the training; influence: one step from its end; sisa: train the"
              + " rows' shards again, after train --sisa; auto: recorded where the adapter has a trajectory, sisa where it"
              + " has shards, otherwise influence (default: ${DEFAULT-VALUE}). For comparison:"
              + " gradient-ascent, grad-diff, kl-min, npo, simnpo, idk-dpo, rmu, fine-tune, task-vector, datainf, ekfac,"
              + " k-fade")
  private String method;

  @Option(
      names = "--set",
      paramLabel = "NAME=VALUE",
      split = ",",
      description =
          "a hyper-parameter of a method for comparison, in place of the published one; a name that it does not have"
              + " is answered with all that it has")
  private Map<String, Double> settings = new LinkedHashMap<>();

  @Option(
      names = "--divisor",
      paramLabel = "D",
      defaultValue = "keep",
      description =
          "keep: a removed row keeps its slot at weight 0; shrink: its batch's mean is over the rows that are left"
              + " (recorded, exact; default: ${DEFAULT-VALUE})")
  private String divisor;

  @Option(
      names = "--exact-head",
      paramLabel = "X",
      description = "retrain this part of the steps first, from 0 to 1, then replay (recorded; default: 0)")
  private Double exactHead;

  @Option(
      names = "--budget",
      paramLabel = "X",
      description =
          "spend at most X retrainings on the request: first the changed rows' gradients, then measured steps, and"
              + " the rest retrains the first steps (recorded)")
  private Double budget;

  @Option(
      names = "--operator-every",
      paramLabel = "J",
      description =
          "multiply by the operator's curvature in every J-th step at least, and whenever the direction has turned; 1: in"
              + " every step (recorded; default: when the direction has turned)")
  private Integer operatorEvery;

  @Option(
      names = "--measured-steps",
      paramLabel = "T",
      description =
          "measure at T steps what the operator misses, and correct it; 0 for a plain replay, whose certificate knows"
              + " no error (recorded; default: what costs about a twentieth of a retraining)")
  private Integer measuredSteps;

  @Option(
      names = "--operators",
      paramLabel = "DIR",
      description = "what lethe prepare left (recorded; default: lethe_operators in the adapter's folder)")
  public Path operators;

  @Option(
      names = "--force",
      description = "write the result even where the certificate's measurements say that it is no good (recorded)")
  private boolean force;

  @Option(
      names = "--trajectory",
      paramLabel = "on|off",
      defaultValue = "on",
      description =
          "write the new adapter's own trajectory, which the next request needs (recorded, exact; default:"
              + " ${DEFAULT-VALUE})")
  private String trajectory;

  /** The method for an adapter. */
  public Method choose(LetheCommand command, Path adapterDir) {
    check(command);
    boolean system = command.given(SYSTEM);
    boolean following = command.given(FOLLOWING);
    if (system && following) {
      throw command.usage(
          String.join(", ", FOLLOWING) + " belong to other methods than " + String.join(", ", SYSTEM));
    }
    Method chosen = named(command);
    if (chosen == null) {
      boolean recorded = Unlearning.isRecorded(adapterDir) && !system;
      boolean sharded = ShardedFolder.exists(adapterDir) && !system;
      chosen = recorded || following ? Method.RECORDED : sharded ? Method.SISA : Method.INFLUENCE;
    }
    command.require(
        settings.isEmpty() || chosen == Method.PUBLISHED, "--set belongs to the methods for comparison", settings);
    if (chosen == Method.PUBLISHED) {
      published(command);
      refuse(command, SYSTEM, FOLLOWING, TRAINED);
      return chosen;
    }
    if (chosen == Method.SISA) {
      refuse(command, SYSTEM, FOLLOWING, TRAINED);
    }
    boolean influence = chosen == Method.INFLUENCE;
    if (influence ? following : system) {
      throw command.usage(
          Text.format(
              "--method %s goes without %s",
              label(chosen), String.join(", ", influence ? FOLLOWING : SYSTEM)));
    }
    requireTraces(chosen, adapterDir);
    return chosen;
  }

  @SafeVarargs
  private void refuse(LetheCommand command, List<String>... groups) {
    for (List<String> options : groups) {
      if (command.given(options)) {
        throw command.usage(Text.format("--method %s goes without %s", method, String.join(", ", options)));
      }
    }
  }

  /** The method for comparison, with its hyper-parameters. */
  public Baseline published(LetheCommand command) {
    return command.option("--set", () -> Baselines.of(method, settings));
  }

  /** Whether the method for comparison needs to know what should be said instead. */
  public boolean wantsPreferred() {
    return Baselines.wantsPreferred(method);
  }

  private void check(LetheCommand command) {
    command.option("--divisor", this::divisor);
    continued(command);
    command.require(
        exactHead == null || exactHead >= 0 && exactHead <= 1, "--exact-head is 0 to 1", exactHead);
    command.require(
        budget == null || budget > 0 && Double.isFinite(budget), "--budget is above 0", budget);
    command.require(
        budget == null || exactHead == null, "--budget chooses the head itself and goes without --exact-head",
        exactHead);
    command.require(
        operatorEvery == null || operatorEvery >= 1, "--operator-every is 1 or more", operatorEvery);
    command.require(
        measuredSteps == null || measuredSteps >= 0, "--measured-steps is 0 or more", measuredSteps);
  }

  private Method named(LetheCommand command) {
    if (method.equals("auto")) {
      return null;
    }
    if (Baselines.names().contains(method)) {
      return Method.PUBLISHED;
    }
    for (Method each : Method.values()) {
      if (label(each).equals(method) && each != Method.PUBLISHED) {
        return each;
      }
    }
    throw command.usage(
        Text.format(
            "--method is auto, recorded, exact, averaged, influence or sisa, or for comparison %s; got %s",
            String.join(", ", Baselines.names()), method));
  }

  private static String label(Method method) {
    return method.name().toLowerCase(Locale.ROOT);
  }

  private static void requireTraces(Method chosen, Path adapterDir) {
    boolean has =
        switch (chosen) {
          case RECORDED, EXACT -> Trajectory.exists(adapterDir);
          case AVERAGED -> Trajectory.exists(adapterDir) || SavedStates.exist(adapterDir);
          case SISA -> ShardedFolder.exists(adapterDir);
          case INFLUENCE, PUBLISHED -> true;
        };
    if (!has) {
      throw new LetheException(
          "--method " + label(chosen),
          "the adapter's folder holds no trace of its training",
          switch (chosen) {
            case AVERAGED -> "a trajectory, or the states that train leaves without one";
            case SISA -> "the shards that train --sisa leaves";
            default -> "the trajectory that train --trajectory on leaves";
          },
          adapterDir.toString(),
          "Use --method influence, or train again (train --without leaves rows out).");
    }
  }

  public Divisor divisor() {
    return Divisor.of(divisor);
  }

  /** Whether the new adapter gets a trajectory. */
  public boolean continued(LetheCommand command) {
    return switch (trajectory) {
      case "on" -> true;
      case "off" -> false;
      default -> throw command.usage("--trajectory is on or off, got " + trajectory);
    };
  }

  /** The choices of the replay. */
  public ReplayOptions replay() {
    ReplayOptions usual = ReplayOptions.USUAL;
    return new ReplayOptions(
        exactHead == null ? usual.exactHead() : exactHead,
        budget == null ? usual.budget() : budget,
        operatorEvery == null ? usual.operatorEvery() : operatorEvery,
        measuredSteps == null ? usual.measuredSteps() : measuredSteps,
        force);
  }
}
