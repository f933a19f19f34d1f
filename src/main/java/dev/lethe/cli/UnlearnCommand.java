package dev.lethe.cli;

import dev.lethe.data.RequestFiles;
import dev.lethe.data.Sample;
import dev.lethe.format.DatasetReader;
import dev.lethe.format.Row;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.run.InterruptedRun;
import dev.lethe.run.Progress;
import dev.lethe.run.RunFolder;
import dev.lethe.run.Session;
import dev.lethe.unlearn.DampingTable;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.EraserOptions;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.EraserOptions.OuterTarget;
import dev.lethe.unlearn.UnlearnInterrupted;
import dev.lethe.unlearn.UnlearnRequest;
import dev.lethe.unlearn.UnlearnResult;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Makes an adapter forget, correct or rewrite named training rows. */
@Command(
    name = "unlearn",
    description = {
      "Makes an adapter forget named training rows, or learn corrected versions of them, by an influence",
      "step instead of training again. Writes the new adapter, the step as a file of its own, and a",
      "certificate that holds ids and hashes, never the forgotten text.",
      "Ctrl-C saves the state; the same command with --resume goes on to the same bytes."
    })
final class UnlearnCommand extends LetheCommand {
  @Mixin private ModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
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
      names = "--forget",
      paramLabel = "ID,ID|@FILE",
      description = "rows to forget; @FILE has one id a line")
  private String forget;

  @Option(
      names = "--replace",
      paramLabel = "FILE",
      description = "new versions of rows, each with the id of the row that it replaces")
  private Path replace;

  @Option(
      names = "--replace-field",
      paramLabel = "FIELD=COLUMN",
      description = "as --field, for the --replace file")
  private Map<String, String> replaceFields = new LinkedHashMap<>();

  @Option(
      names = "--in-order",
      description = "the rows of --replace have no ids and stand for those of --forget, in order")
  private boolean inOrder;

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
      defaultValue = "all",
      description =
          "target rows to draw for the certificate's gradient norms and retained loss, which two passes"
              + " over these rows take; none leaves both out (default: ${DEFAULT-VALUE})")
  private String certificateRows;

  @Option(names = "--resume", description = "go on with an interrupted run to the same --out")
  private boolean resume;

  UnlearnCommand(Console console) {
    super(console);
  }

  @Override
  int run() {
    RunFolder folder = RunFolder.open(out, resume);
    CurvatureData rowsOfCurvature = choice(CurvatureData.class, "--curvature-data", curvatureData);
    OuterTarget target = choice(OuterTarget.class, "--outer-target", outerTarget);
    if (inOrder && (forget == null || replace == null)) {
      throw usage("--in-order needs --forget and --replace");
    }
    int measured = certificateRows();
    List<String> ids = RequestFiles.ids(forget);
    solve.check(this, adapter.adapter);
    sweep.check(this, solve, outerSteps, resume);
    try (Session session =
        hiddenStates.in(Session.open(model.model, common.openBackend(this)))) {
      List<Sample> rows = session.samples(data, dataOptions.reading());
      UnlearnRequest request = request(session, rows, ids);
      AdaptedModel adapted = session.adapted(adapter.adapter);
      Eraser.Builder eraser =
          Eraser.builder(adapted, rows, request)
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
              .limits(dataOptions.limits())
              .heldOut(heldOut == null ? List.of() : session.samples(heldOut, dataOptions.reading()))
              .partial(folder.state())
              .resume(resume);
      solve.apply(this, adapter.adapter, eraser);
      if (sweep.asked()) {
        sweep.report(this, table(eraser.build()), adapted.layout(), out);
      } else {
        unlearn(eraser.build(), folder);
      }
      return ExitCode.DONE;
    }
  }

  private DampingTable table(Eraser eraser) {
    try (Watch watch = new Watch()) {
      return sweep.table(eraser, watch);
    }
  }

  private void unlearn(Eraser eraser, RunFolder folder) {
    try (Watch watch = new Watch();
        UnlearnResult result = eraser.run(watch)) {
      watch.close();
      result.write(out, adapter.adapter);
      folder.finish();
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
              : "interrupted; the state is in %s. Run the same command with --resume."
                  .formatted(e.state()));
    }
  }

  private UnlearnRequest request(Session session, List<Sample> rows, List<String> ids) {
    if (replace == null) {
      return UnlearnRequest.of(rows, ids, List.of());
    }
    if (!inOrder) {
      List<Row> named = DatasetReader.readNamed(replace, replaceFields);
      List<Sample> replacements =
          session.encoder(named, dataOptions.reading()).encode(named, replace.toString());
      return UnlearnRequest.of(rows, ids, replacements);
    }
    List<Sample> unnamed = session.samples(replace, dataOptions.reading().withFields(replaceFields));
    if (unnamed.size() != ids.size()) {
      throw usage(
          "--in-order pairs %d ids of --forget with %d rows of %s; there must be equally many"
              .formatted(ids.size(), unnamed.size(), replace));
    }
    List<Sample> named = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      Sample row = unnamed.get(i);
      named.add(new Sample(ids.get(i), row.inputIds(), row.labels(), row.hash()));
    }
    return UnlearnRequest.of(rows, ids, named);
  }

  private int certificateRows() {
    try {
      return switch (certificateRows) {
        case "all" -> EraserOptions.ALL_ROWS;
        case "none" -> 0;
        default -> Integer.parseInt(certificateRows);
      };
    } catch (NumberFormatException e) {
      throw usage("--certificate-rows is a number, all or none, got " + certificateRows);
    }
  }

  private <E extends Enum<E>> E choice(Class<E> type, String option, String value) {
    for (E constant : type.getEnumConstants()) {
      if (constant.name().equalsIgnoreCase(value)) {
        return constant;
      }
    }
    throw usage(option + " has no value '" + value + "'");
  }

  /** Phases and iterations as progress. */
  private final class Watch implements EraserMonitor, AutoCloseable {
    private Progress.Task task;

    @Override
    public void onPhase(String phase, long rows) {
      close();
      task = progress().start(phase, rows, rows > 0 ? "rows" : "iterations");
    }

    @Override
    public void onRows(long done) {
      task.done(done);
    }

    @Override
    public void onIteration(int outerStep, int iteration, int maxIterations, double residual) {
      task.done(iteration, "residual %.1e of %.0e".formatted(residual, solve.tolerance));
    }

    @Override
    public boolean interrupted() {
      return console.interrupt().requested();
    }

    @Override
    public void close() {
      if (task != null) {
        task.close();
      }
    }
  }
}
