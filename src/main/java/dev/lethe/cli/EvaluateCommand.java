package dev.lethe.cli;

import dev.lethe.data.Sample;
import dev.lethe.evaluate.Candidates;
import dev.lethe.evaluate.Evaluation;
import dev.lethe.evaluate.RowLoss;
import dev.lethe.format.DatasetReader;
import dev.lethe.format.OutputFolder;
import dev.lethe.format.Row;
import dev.lethe.format.StrictJson;
import dev.lethe.influence.DatasetLoss;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.run.Progress;
import dev.lethe.run.Session;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
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
final class EvaluateCommand extends LetheCommand {
  @Mixin private ModelOptions model;
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
          "also rank rows by log p(YES) - log p(NO) and print the AUC; for rows with one of two outputs")
  private String[] answers;

  EvaluateCommand(Console console) {
    super(console);
  }

  @Override
  int run() {
    if (out != null) {
      OutputFolder.refuseExisting(out);
    }
    if (answers != null && answers.length != 2) {
      throw usage("--answers takes two answers, as in Yes.,No.");
    }
    try (Session session = Session.open(model.model, common.openBackend(this));
        Scope scope = session.backend().openScope("evaluate")) {
      AdaptedModel adapted = session.adapted(adapter);
      Tensor theta = Parameters.of(adapted, scope);
      List<RowLoss> rows = rows(session, adapted, theta);
      List<String> lines = rows.stream().map(row -> json(row).toString()).toList();
      if (out == null) {
        lines.forEach(this::print);
      } else {
        JsonLines.write(out, lines);
      }
      summary(rows, answers == null ? Double.NaN : auc(session, adapted, theta));
      return ExitCode.DONE;
    }
  }

  private List<RowLoss> rows(Session session, AdaptedModel adapted, Tensor theta) {
    List<Sample> samples = session.samples(data, dataOptions.reading());
    List<RowLoss> rows = new ArrayList<>();
    DatasetLoss all = new DatasetLoss(adapted, samples, dataOptions.limits());
    try (Progress.Task task = progress().start("evaluate", samples.size(), "rows")) {
      for (List<Sample> part : JsonLines.chunks(samples)) {
        stopIfAsked();
        rows.addAll(Evaluation.rows(all.of(part), theta));
        task.done(rows.size());
      }
    }
    return rows;
  }

  private double auc(Session session, AdaptedModel adapted, Tensor theta) {
    List<Row> rows = DatasetReader.read(data, dataOptions.fields);
    Candidates candidates =
        Candidates.of(
            rows, answers[0], answers[1], session.encoder(rows, dataOptions.reading()), data.toString());
    return candidates.auc(new DatasetLoss(adapted, List.of(), dataOptions.limits()), theta);
  }

  private void summary(List<RowLoss> rows, double auc) {
    ObjectNode json = StrictJson.newObject();
    json.put("mean_loss", Evaluation.mean(rows));
    json.put("perplexity", Evaluation.perplexity(rows));
    if (!Double.isNaN(auc)) {
      json.put("auc", auc);
    }
    json.put("rows", rows.size());
    json.put("tokens", rows.stream().mapToLong(RowLoss::tokens).sum());
    print(json);
  }

  private static ObjectNode json(RowLoss row) {
    return StrictJson.newObject()
        .put("id", row.id())
        .put("loss", row.loss())
        .put("tokens", row.tokens());
  }
}
