package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.ShardOption;
import dev.lethe.cli.option.SolveOptions;
import dev.lethe.cli.output.JsonLines;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.influence.InfluenceScores;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Influence;
import dev.lethe.session.InterruptedRun;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.shard.ScoreLines;
import dev.lethe.shard.ScoreShare;
import dev.lethe.shard.ShardHeader;
import dev.lethe.shard.ShardOrigin;
import dev.lethe.solve.Solution;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.Solvers;
import dev.lethe.unlearn.DampingRule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Which training rows a prediction rests on. */
@Command(
    name = "influence",
    description = {
      "Scores every training row for every query row: by how many nats the query's loss would change if the",
      "row had not been trained on. Positive rows help the query, negative ones harm it."
    })
public final class InfluenceCommand extends LetheCommand {
  private static final String UNIT = "Δ nats if removed";
  private static final String COLUMNS = "  %-24s %17s     %-24s %17s";
  private static final int ID_WIDTH = 23;

  @Mixin private LoadedModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
  @Mixin private SolveOptions solve;
  @Mixin private ShardOption shard;
  @Mixin private CommonOptions common;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description = "all rows that the adapter was trained on")
  private Path data;

  @Option(names = "--query", required = true, paramLabel = "FILE", description = "the query rows")
  private Path query;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "write all scores: JSON Lines, one object a query, scores in data order")
  private Path out;

  @Option(
      names = "--top",
      paramLabel = "N",
      defaultValue = "5",
      description = "how many helping and harming rows to print (default: ${DEFAULT-VALUE})")
  private int top;

  public InfluenceCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    solve.check(this, adapter.adapter);
    require(
        Solvers.names().contains(solve.solver),
        "--solver is one of " + String.join(", ", Solvers.names()), Text.quote(solve.solver));
    require(top >= 0, "--top is 0 or more", top);
    shard.check(this);
    require(!shard.given() || out != null, "--shard needs a file for its scores, --out", "none");
    take(out);
    try (Session session = dataOptions.in(model.open(this, common.openDevices(this)))) {
      List<Sample> rows = session.samples(data, dataOptions.reading());
      List<Sample> queries = session.samples(query, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      BatchLimits limits =
          dataOptions.limits(this, session, Work.influence(solve.kind(), queries), adapted, rows, shard.given());
      Influence influence = influence(adapted, rows, limits);
      DatasetLoss loss = influence.loss();
      ScoreShare share =
          ScoreShare.of(shard.get(), InfluenceScores.units(loss.of(queries)), loss.blocks());
      InfluenceScores.Result result = scores(influence, queries, share);
      requireComplete(result, queries.size());
      eachQuery(result, (i, q) -> warnUnsolved(queries.get(q), result.solutions().get(i)));
      if (shard.given()) {
        List<String> lines = new ArrayList<>();
        lines.add(ScoreLines.header(header(loss, queries, influence.damping())));
        List<Sample> scored = loss.part(share.blocks()).samples();
        int first = loss.firstSample(share.blocks().first());
        eachQuery(
            result,
            (i, q) -> lines.add(ScoreLines.part(line(queries.get(q), scored, result, i), q, first)));
        JsonLines.write(out, lines);
        report(result, scored.size());
      } else {
        if (out != null) {
          List<String> lines = new ArrayList<>();
          eachQuery(result, (i, q) -> lines.add(StrictJson.line(line(queries.get(q), rows, result, i))));
          JsonLines.write(out, lines);
        }
        eachQuery(
            result,
            (i, q) -> printTop(queries.get(q), rows, result.scores()[i], result.solutions().get(i)));
      }
      return ExitCode.DONE;
    }
  }

  private static void requireComplete(InfluenceScores.Result result, int queries) {
    if (!result.complete()) {
      throw new InterruptedRun(
          Text.format(
              "interrupted after %d of %d queries; nothing was written. Run the same command again.",
              result.scores().length, queries));
    }
  }

  private Influence influence(AdaptedModel adapted, List<Sample> rows, BatchLimits limits) {
    Influence influence =
        new Influence(adapted, adapter.adapter, rows)
            .damping(solve.choose(this, adapter.adapter))
            .curvature(solve.kind())
            .solver(Solvers.byName(solve.solver), solve.limits(common.seed))
            .limits(limits);
    progress()
        .say(Text.format("damping %.3g (%s)", influence.damping().damping(), influence.damping().from()));
    return influence;
  }

  private InfluenceScores.Result scores(Influence influence, List<Sample> queries, ScoreShare share) {
    try (Progress.Task task = progress().start("influence", queries.size(), "queries")) {
      return influence.monitor(new Watch(task)).of(queries, share.units(), share.blocks());
    }
  }

  private ShardHeader header(DatasetLoss loss, List<Sample> queries, DampingRule.Chosen chosen) {
    ShardOrigin origin =
        ShardOrigin.of("influence", loss.model(), loss.samples(), dataOptions.limits())
            .with("queries", queries.size())
            .with("query data", ShardOrigin.hash(queries))
            .with("curvature", solve.kind().label())
            .with("solver", solve.solver)
            .with("damping", chosen.damping() + chosen.weightDecay())
            .with("tolerance", solve.tolerance)
            .with("most iterations", solve.maxIterations)
            .with("seed", common.seed);
    return new ShardHeader(shard.get(), ShardHeader.Content.SCORES, origin, Map.of());
  }

  /** Tells the place of each query that has scores, among these and among all. */
  private static void eachQuery(InfluenceScores.Result result, BiConsumer<Integer, Integer> each) {
    for (int i = 0; i < result.queries().size(); i++) {
      each.accept(i, result.queries().get(i));
    }
  }

  private static ObjectNode line(
      Sample query, List<Sample> rows, InfluenceScores.Result result, int i) {
    double residual = result.solutions().get(i).relativeResidual();
    return ScoreLines.of(query, residual, rows, result.scores()[i]);
  }

  /** Says on standard error that a query's system was not solved, whatever else is printed. */
  private void warnUnsolved(Sample query, Solution solution) {
    if (!solution.converged()) {
      console.err().println(
          Text.format(
              "lethe: query %s was not solved: %s, residual %.1e of %.0e. Its scores are of the unfinished solution; raise"
                  + " --max-iterations or --damping.",
              Text.quote(query.id()), solution.stop(), solution.relativeResidual(), solve.tolerance));
    }
  }

  private void report(InfluenceScores.Result result, int rows) {
    int queries = result.queries().size();
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("out", out.toString())
              .put("shard", shard.get().toString())
              .put("queries", queries)
              .put("rows", rows));
    } else {
      print(
          Text.format(
              "%s: shard %s of the scores, %,d queries on %,d rows each", out, shard.get(), queries, rows));
    }
  }

  private void printTop(Sample query, List<Sample> rows, double[] scores, Solution solution) {
    List<Integer> helping = first(scores, i -> -scores[i]);
    List<Integer> harming = first(scores, i -> scores[i]);
    if (output.json) {
      ObjectNode json = StrictJson.newObject().put("query", query.id());
      json.put("score", UNIT);
      json.put("residual", solution.relativeResidual()).put("converged", solution.converged())
          .put("stop", solution.stop());
      put(json.putArray("helping"), helping, rows, scores);
      put(json.putArray("harming"), harming, rows, scores);
      print(json);
      return;
    }
    print(
        Text.format(
            "query %s   (residual %.1e%s)",
            Text.printable(query.id()), solution.relativeResidual(),
            solution.converged() ? "" : ", not solved: " + solution.stop()));
    print(Text.format(COLUMNS, "helping row", UNIT, "harming row", UNIT).stripTrailing());
    int lines = Math.max(helping.size(), harming.size());
    for (int i = 0; i < lines; i++) {
      print(line(cell(helping, i, rows, scores), cell(harming, i, rows, scores)));
    }
    if (lines == 0) {
      print("  no row changes it");
    }
  }

  private static String line(String[] helping, String[] harming) {
    return Text.format(COLUMNS, helping[0], helping[1], harming[0], harming[1]).stripTrailing();
  }

  private static String[] cell(List<Integer> which, int line, List<Sample> rows, double[] scores) {
    if (line >= which.size()) {
      return new String[] {"", ""};
    }
    int i = which.get(line);
    return new String[] {Text.shorten(rows.get(i).id(), ID_WIDTH), Text.format("%+.4e", scores[i])};
  }

  /** The first rows of one sign; the key of a row that counts is below 0. */
  private List<Integer> first(double[] scores, IntToDoubleFunction key) {
    return IntStream.range(0, scores.length)
        .filter(i -> key.applyAsDouble(i) < 0)
        .boxed()
        .sorted(Comparator.comparingDouble(key::applyAsDouble))
        .limit(top)
        .toList();
  }

  private static void put(ArrayNode list, List<Integer> which, List<Sample> rows, double[] scores) {
    for (int i : which) {
      list.addObject().put("id", rows.get(i).id()).put("score", scores[i]);
    }
  }

  private final class Watch implements SolverMonitor {
    private final Progress.Task task;
    private int begun;

    Watch(Progress.Task task) {
      this.task = task;
    }

    @Override
    public void onIteration(int iteration, double residual) {
      begun += iteration == 1 ? 1 : 0;
      task.done(begun - 1, Text.format("iteration %d, residual %.1e", iteration, residual));
    }

    @Override
    public void onSolved(int systems) {
      begun = systems;
      task.done(systems);
    }

    @Override
    public boolean interrupted() {
      return console.interrupt().requested();
    }
  }
}
