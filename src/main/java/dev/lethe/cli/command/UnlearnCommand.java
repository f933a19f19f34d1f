package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.HiddenStateOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.MethodOptions;
import dev.lethe.cli.option.RequestOptions;
import dev.lethe.cli.option.SolveOptions;
import dev.lethe.cli.option.SweepOptions;
import dev.lethe.cli.output.UnlearnProgress;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.AveragedStep;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.PreferredResponses;
import dev.lethe.session.PreparedCurvature;
import dev.lethe.session.RunFolder;
import dev.lethe.session.Session;
import dev.lethe.session.TrainingFollower;
import dev.lethe.session.machine.Work;
import dev.lethe.train.ShardedAdapter;
import dev.lethe.train.ShardedFolder;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.BaselineUnlearner;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.EraserOptions;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.EraserOptions.OuterTarget;
import dev.lethe.unlearn.SisaUnlearner;
import dev.lethe.unlearn.baseline.Baseline;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.Measuring;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.DampingTable;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Makes an adapter forget, correct or rewrite named training rows. */
@Command(
    name = "unlearn",
    description = {
      "Makes an adapter forget named training rows, or learn corrected versions of them, without training",
      "again: by a replay of its recorded training, or by an influence step where there is no record. Writes",
      "the new adapter, the step as a file of its own, and a certificate that holds ids and hashes, never the",
      "forgotten text. Ctrl-C saves the state of a long method; the same command with --resume goes on to the",
      "same bytes. A replay is short and starts anew."
    })
public final class UnlearnCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
  @Mixin private RequestOptions requests;
  @Mixin private MethodOptions methods;
  @Mixin private SolveOptions solve;
  @Mixin private SweepOptions sweep;
  @Mixin private HiddenStateOptions hiddenStates;
  @Mixin private CommonOptions common;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description = "all rows that the adapter was trained on")
  private Path data;

  @Option(
      names = "--held-out",
      paramLabel = "FILE",
      description = "rows not trained on, whose loss the certificate reports too")
  private Path heldOut;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "the new adapter")
  private Path out;

  @Option(
      names = "--curvature-data",
      paramLabel = "target|all",
      defaultValue = "target",
      description =
          "rows of the curvature: target, as they should have been (a Newton step), or all, as they"
              + " were trained on (the classical estimate) (default: ${DEFAULT-VALUE})")
  private String curvatureData;

  @Option(
      names = "--curvature-rows",
      paramLabel = "N",
      defaultValue = "0",
      description = "draw this many of them, which is faster (default: all)")
  private int curvatureRows;

  @Option(
      names = "--outer-steps",
      paramLabel = "N",
      defaultValue = "1",
      description = "solves in a row (default: ${DEFAULT-VALUE})")
  private int outerSteps;

  @Option(
      names = "--outer-target",
      paramLabel = "minimum|anchored",
      defaultValue = "minimum",
      description =
          "what the solves after the first aim at: minimum, for adapters near one, or anchored, which"
              + " never goes on training (default: ${DEFAULT-VALUE})")
  private String outerTarget;

  @Option(
      names = "--certificate-rows",
      paramLabel = "N|all|none",
      description =
          "target rows to draw for the certificate's gradient norms and retained loss, which two passes"
              + " over these rows take; none leaves both out (default: all for influence, none for the others)")
  private String certificateRows;

  @Option(names = "--resume", description = "go on with an interrupted run to the same --out")
  private boolean resume;

  public UnlearnCommand(Console console) {
    super(console);
  }

  @Override
  public void check() {
    common.check(this);
    dataOptions.check(this);
    hiddenStates.check(this);
    require(curvatureRows >= 0, "--curvature-rows is 0 (all) or more", curvatureRows);
    require(outerSteps >= 1, "--outer-steps is 1 or more", outerSteps);
    choice(CurvatureData.class, "--curvature-data", curvatureData);
    choice(OuterTarget.class, "--outer-target", outerTarget);
    requests.check(this);
  }

  @Override
  public int run() {
    check();
    final CurvatureData rowsOfCurvature =
        choice(CurvatureData.class, "--curvature-data", curvatureData);
    final OuterTarget target = choice(OuterTarget.class, "--outer-target", outerTarget);
    solve.check(this, adapter.adapter);
    sweep.check(this, solve, outerSteps, resume);
    final MethodOptions.Method method = methods.choose(this, adapter.adapter);
    int measured = certificateRows(method);
    require(
        outerSteps == 1 || measured == EraserOptions.ALL_ROWS,
        "--certificate-rows is all where there are several --outer-steps, which need that gradient", certificateRows);
    RunFolder folder = held(RunFolder.open(out, resume));
    try (Session session =
        hiddenStates.in(dataOptions.in(model.open(this, common.openDevices(this))))) {
      LoadedRows rows = session.load(data, dataOptions.reading());
      UnlearnRequest request =
          requests.request(this, session, dataOptions.reading(), adapter.adapter, rows);
      AdaptedModel adapted = session.adapted(adapter.adapter);
      if (method == MethodOptions.Method.PUBLISHED) {
        publish(session, request, adapted, measured, folder);
        return ExitCode.DONE;
      }
      if (method == MethodOptions.Method.SISA) {
        shards(session, request, adapted, measured, folder);
        return ExitCode.DONE;
      }
      if (method != MethodOptions.Method.INFLUENCE) {
        follow(method, session, request, adapted, measured, folder);
        return ExitCode.DONE;
      }
      session.requireFormOf(adapter.adapter, rows.samples(), dataOptions.reading());
      Eraser.Builder eraser =
          Eraser.builder(adapted, request)
              .curvature(solve.kind())
              .curvatureData(rowsOfCurvature)
              .curvatureRows(curvatureRows)
              .solver(solve.solver)
              .tolerance(solve.tolerance)
              .maxIterations(solve.maxIterations)
              .seed(common.seed)
              .outerSteps(outerSteps)
              .outerTarget(target)
              .certificateRows(measured)
              .limits(dataOptions.limits(this, session, Work.unlearn(solve.kind()), adapted, rows.samples(), false))
              .heldOut(heldOut(session))
              .partial(folder.state())
              .resume(resume);
      solve.apply(this, adapter.adapter, eraser);
      if (sweep.asked()) {
        sweep.report(this, table(eraser.build()), adapted.layout(), out);
      } else {
        unlearn(eraser.build()::run, folder);
      }
      return ExitCode.DONE;
    }
  }

  /** The methods that follow the training. */
  private void follow(
      MethodOptions.Method method,
      Session session,
      UnlearnRequest request,
      AdaptedModel adapted,
      int measured,
      RunFolder folder) {
    boolean done = false;
    try (TrainingFollower follower =
        new TrainingFollower(adapter.adapter, adapted, folder, methods.continued(this))) {
      follower.requireNotRemoved(request.forgetIds());
      List<Work> work =
          switch (method) {
            case EXACT -> follower.work(null, null);
            case AVERAGED -> List.of(Work.averaged(AveragedStep.draws(request.target().size())));
            default -> follower.work(methods.operators, methods.replay());
          };
      UnlearnTask task = task(session, request, adapted, measured, work);
      String form = session.promptForm(dataOptions.reading());
      unlearn(
          watch ->
              switch (method) {
                case EXACT -> follower.exact(task, form, resume, watch);
                case AVERAGED -> follower.averaged(task, form, watch);
                default ->
                    follower.recorded(task, form, methods.operators, methods.replay(), watch);
              },
          folder);
      done = true;
    } finally {
      if (!done && method == MethodOptions.Method.RECORDED) {
        folder.finish(); // a replay starts anew
      }
    }
  }

  /** The methods for comparison. */
  private void publish(
      Session session, UnlearnRequest request, AdaptedModel adapted, int measured, RunFolder folder) {
    session.requireFormOf(adapter.adapter, request.data(), dataOptions.reading());
    List<Sample> preferred =
        methods.wantsPreferred()
            ? new PreferredResponses(session, dataOptions.reading(), data).of(request, common.seed)
            : List.of();
    TrainOptions training =
        TrainingRecord.read(adapter.adapter).map(TrainingRecord::options).orElse(null);
    Baseline published = methods.published(this);
    Work work = Work.published(published.atATime(request.forgotten().size()));
    UnlearnTask task = task(session, request, adapted, measured, List.of(work));
    BaselineUnlearner unlearner =
        new BaselineUnlearner(task, published, preferred, training)
            .prepared(() -> PreparedCurvature.ekfac(adapter.adapter, adapted));
    unlearn(unlearner::run, folder);
  }

  /** The shards of the rows, trained again. */
  private void shards(
      Session session, UnlearnRequest request, AdaptedModel adapted, int measured, RunFolder folder) {
    ShardedAdapter sharded = ShardedFolder.open(adapter.adapter, adapted.adapter(), request.data());
    fitting(
        session.memoryPlan(sharded.parts().getFirst().config()),
        Work.again("sisa", sharded.options().batchSize(), 3 * sharded.parts().size()),
        Collections.max(sharded.rows(), Comparator.comparingInt(List::size)),
        dataOptions.limits(),
        true);
    UnlearnTask task = task(session, request, adapted, measured, List.of());
    try (SisaUnlearner unlearner = new SisaUnlearner(task, sharded, session.promptForm(dataOptions.reading()))) {
      unlearn(unlearner::run, folder);
    }
  }

  private UnlearnTask task(
      Session session, UnlearnRequest request, AdaptedModel adapted, int measured, List<Work> work) {
    BatchLimits limits = dataOptions.limits(this, session, work, adapted, request.data());
    return new UnlearnTask(
        adapted,
        request,
        methods.divisor(),
        heldOut(session),
        new Measuring(measured, common.seed, 0, limits));
  }

  private List<Sample> heldOut(Session session) {
    return heldOut == null ? List.of() : session.samples(heldOut, dataOptions.reading());
  }

  private DampingTable table(Eraser eraser) {
    try (UnlearnProgress watch = watch()) {
      return sweep.table(eraser, watch);
    }
  }

  private void unlearn(Function<EraserMonitor, UnlearnResult> way, RunFolder folder) {
    try (UnlearnProgress watch = watch();
        UnlearnResult result = way.apply(watch)) {
      watch.end();
      result.write(out, adapter.adapter);
      folder.finish();
      result.certificate().steps().forEach(this::warnUnsolved);
      if (output.json) {
        console.out().print(result.certificate().toJson());
      } else {
        console.out().print(result.certificate().toText());
        print(
            result.changed()
                ? out + " holds the new adapter, the step and the certificate."
                : "The request is empty: " + out + " is the old adapter, byte for byte.");
      }
    } catch (UnlearnInterrupted e) {
      throw new InterruptedRun(
          e.state() == null
              ? "interrupted before there was a state to save. Run the same command again."
              : Text.format(
                  "interrupted; the state is in %s. Run the same command with --resume.",
                  e.state()));
    }
  }

  private void warnUnsolved(Certificate.OuterStep step) {
    if (!step.converged()) {
      console.err().println(
          Text.format(
              "lethe: the system of step %d was not solved: %s; raise --max-iterations or --damping",
              step.step(), step.stop()));
    }
  }

  private int certificateRows(MethodOptions.Method method) {
    if (certificateRows == null) {
      return method == MethodOptions.Method.INFLUENCE ? EraserOptions.ALL_ROWS : 0;
    }
    return switch (certificateRows) {
      case "all" -> EraserOptions.ALL_ROWS;
      case "none" -> 0;
      default -> {
        require(
            certificateRows.matches("[0-9]{1,9}"), "--certificate-rows is a number, all or none",
            Text.quote(certificateRows));
        yield Integer.parseInt(certificateRows);
      }
    };
  }

  private <E extends Enum<E>> E choice(Class<E> type, String option, String value) {
    for (E constant : type.getEnumConstants()) {
      if (constant.name().equalsIgnoreCase(value)) {
        return constant;
      }
    }
    throw usage(option + " has no value '" + value + "'");
  }

  private UnlearnProgress watch() {
    return new UnlearnProgress(progress(), console.interrupt()::requested, solve.tolerance);
  }
}
