package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.Parameters;
import dev.lethe.cli.output.JsonLines;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.data.Encoder;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.Candidates;
import dev.lethe.evaluate.Evaluation;
import dev.lethe.evaluate.RowLoss;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** Losses of a data set, row by row. */
@Command(
    name = "evaluate",
    description = {
      "Prints each row's loss, {\"id\",\"loss\",\"tokens\"}, and their mean last.",
      "A row's loss is the mean cross-entropy over its supervised tokens, in nats."
    })
public final class EvaluateCommand extends LetheCommand {
  /** How many blocks each worker gets at a time, where there are several. */
  private static final int BLOCKS_A_WORKER = 4;

  /** Bytes of a data file that are a few passes at most. */
  private static final long SMALL_DATA = 8 << 10;

  @Mixin private LoadedModelOptions model;
  @Mixin private DataOptions dataOptions;
  @Mixin private CommonOptions common;

  @Option(names = "--adapter", paramLabel = "DIR", description = "adapter: a PEFT folder")
  private Path adapter;

  @Option(names = "--data", required = true, paramLabel = "FILE", description = "rows to evaluate")
  private Path data;

  @Option(names = "--out", paramLabel = "FILE", description = "write the rows to a JSON Lines file")
  private Path out;

  @Option(
      names = "--answers",
      paramLabel = "YES,NO",
      split = ",",
      description =
          "add each row's \"score\", log p(YES) - log p(NO), and the AUC; for rows with one of two"
              + " answers")
  private String[] answers;

  public EvaluateCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    requireTwoAnswers();
    take(out);
    boolean few = answers == null && Files.isRegularFile(data) && data.toFile().length() <= SMALL_DATA;
    try (Session session = dataOptions.in(model.forFewPasses(few).open(this, common.openDevices(this)));
        Scope scope = session.backend().openScope("evaluate")) {
      AdaptedModel adapted = session.adapted(adapter);
      Tensor theta = Parameters.of(adapted, scope);
      if (answers == null) {
        List<RowLoss> rows = losses(session, adapted, theta);
        write(rows.stream().map(EvaluateCommand::json).toList());
        print(summary(rows));
      } else {
        List<Candidates.Scored> rows = scores(session, adapted, theta);
        write(rows.stream().map(row -> json(row.loss()).put("score", row.score())).toList());
        print(
            summary(rows.stream().map(Candidates.Scored::loss).toList())
                .put("auc", auc(rows))
                .put("positives", rows.stream().filter(Candidates.Scored::positive).count()));
      }
      return ExitCode.DONE;
    }
  }

  private void requireTwoAnswers() {
    if (answers != null
        && (answers.length != 2
            || answers[0].isEmpty()
            || answers[1].isEmpty()
            || answers[0].equals(answers[1]))) {
      throw usage(
          Text.format(
              "--answers takes two different answers, as in Yes.,No.; got '%s'",
              String.join(",", answers)));
    }
  }

  private List<RowLoss> losses(Session session, AdaptedModel adapted, Tensor theta) {
    List<Sample> samples = session.samples(data, dataOptions.reading());
    BatchLimits limits = dataOptions.limits(this, session, Work.EVALUATE, adapted, samples, false);
    DatasetLoss all = new DatasetLoss(adapted, samples, limits);
    int together = adapted.workers() == null ? 1 : BLOCKS_A_WORKER * adapted.workers().count();
    List<RowLoss> losses = new ArrayList<>(samples.size());
    try (Progress.Task task = progress().start("evaluate", samples.size(), "rows", 1)) {
      for (int from = 0; from < all.blocks(); from += together) {
        stopIfAsked();
        BlockRange next = new BlockRange(from, Math.min(all.blocks(), from + together));
        losses.addAll(Evaluation.rows(all.part(next), theta));
        task.done(losses.size());
      }
    }
    return losses;
  }

  private List<Candidates.Scored> scores(Session session, AdaptedModel adapted, Tensor theta) {
    List<Row> rows = session.rows(data, dataOptions.reading());
    Encoder encoder = session.encoder(rows, dataOptions.reading());
    Candidates candidates =
        Candidates.of(rows, answers[0], answers[1], encoder, data.toString());
    DatasetLoss like = new DatasetLoss(adapted, List.of(), dataOptions.limits());
    List<Candidates.Scored> scores = new ArrayList<>(candidates.size());
    try (Progress.Task task = progress().start("evaluate", candidates.size(), "rows", 1)) {
      for (int from = 0; from < candidates.size(); from += JsonLines.PIECE) {
        stopIfAsked();
        scores.addAll(candidates.scores(from, Math.min(candidates.size(), from + JsonLines.PIECE), like, theta));
        task.done(scores.size());
      }
    }
    return scores;
  }

  private double auc(List<Candidates.Scored> rows) {
    double auc = Candidates.auc(rows);
    if (Double.isNaN(auc)) {
      console.err().println("lethe: the AUC is null: all rows have the same answer, and it compares rows of both");
    }
    return auc;
  }

  private void write(List<ObjectNode> rows) {
    List<String> lines = rows.stream().map(StrictJson::line).toList();
    if (out == null) {
      lines.forEach(this::print);
    } else {
      JsonLines.write(out, lines);
    }
  }

  private static ObjectNode summary(List<RowLoss> rows) {
    return StrictJson.newObject()
        .put("mean_loss", Evaluation.mean(rows))
        .put("perplexity", Evaluation.perplexity(rows))
        .put("rows", rows.size())
        .put("tokens", rows.stream().mapToLong(RowLoss::tokens).sum());
  }

  private static ObjectNode json(RowLoss row) {
    return StrictJson.newObject()
        .put("id", row.id())
        .put("loss", row.loss())
        .put("tokens", row.tokens());
  }
}
