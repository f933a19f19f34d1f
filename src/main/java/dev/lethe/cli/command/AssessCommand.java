package dev.lethe.cli.command;

import dev.lethe.assess.Assessment;
import dev.lethe.assess.AssessmentMonitor;
import dev.lethe.assess.Subjects;
import dev.lethe.assess.Tofu;
import dev.lethe.assess.TofuFiles;
import dev.lethe.assess.further.Calibration;
import dev.lethe.assess.further.Choices;
import dev.lethe.assess.further.FourBits;
import dev.lethe.assess.further.Relearning;
import dev.lethe.assess.record.AssessmentFolder;
import dev.lethe.assess.record.AssessmentJson;
import dev.lethe.assess.record.AssessmentRecord;
import dev.lethe.assess.record.AssessmentText;
import dev.lethe.assess.record.Signing;
import dev.lethe.assess.report.HtmlReport;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.RequestOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Measures how near an unlearned adapter is to one that was trained again. */
@Command(
    name = "assess",
    description = {
      "Measures how near an unlearned adapter is to one that was trained again without the rows: by predictions",
      "and losses, by what it still knows by heart, and by attacks that look for the rows. Prints sentences and",
      "tables; writes assessment.json and report.html into --out. Any PEFT adapters of one base model will do."
    })
public final class AssessCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private DataOptions dataOptions;
  @Mixin private RequestOptions requests;
  @Mixin private CommonOptions common;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE",
      description = "all rows that the original was trained on")
  private Path data;

  @Option(
      names = "--original",
      required = true,
      paramLabel = "DIR,DIR",
      split = ",",
      description = "the adapter before unlearning; several: one for each --unlearned")
  private List<Path> original;

  @Option(
      names = "--unlearned",
      required = true,
      paramLabel = "DIR,DIR",
      split = ",",
      description = "the adapter after it; several: numbers are means over them, and KLOM is measured")
  private List<Path> unlearned;

  @Option(
      names = "--retrained",
      required = true,
      paramLabel = "DIR,DIR",
      split = ",",
      description = "the adapter trained again without the rows, otherwise as the original was")
  private List<Path> retrained;

  @Option(
      names = "--noise",
      paramLabel = "DIR,DIR",
      split = ",",
      description = "further retrainings, of other orders or initialisations: how far two of them lie apart")
  private List<Path> noise = List.of();

  @Option(
      names = "--held-out",
      paramLabel = "FILE",
      description = "rows like the forgotten ones that no adapter was trained on; the attacks need them")
  private Path heldOut;

  @Option(
      names = "--tofu",
      paramLabel = "DIR",
      description = "measure truth ratio, forget quality and model utility too, by the benchmark's *_perturbed.json files")
  private Path tofu;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "folder of the results, new")
  private Path out;

  @Option(
      names = "--rows",
      paramLabel = "N",
      defaultValue = "400",
      description = "compare predictions on at most N rows of a kind, drawn (default: ${DEFAULT-VALUE})")
  private int rows;

  @Option(
      names = "--answered",
      paramLabel = "N",
      defaultValue = "50",
      description = "let the adapters answer at most N rows of a kind (default: ${DEFAULT-VALUE})")
  private int answered;

  @Option(
      names = "--max-new-tokens",
      paramLabel = "N",
      defaultValue = "200",
      description = "the most tokens of an answer (default: ${DEFAULT-VALUE})")
  private int maxNewTokens;

  @Option(
      names = "--draws",
      paramLabel = "N",
      defaultValue = "2000",
      description = "draw rows again N times for an interval (default: ${DEFAULT-VALUE})")
  private int draws;

  @Option(
      names = "--sign",
      paramLabel = "KEY",
      description = "sign the hash chain of data, adapters, request and results: a private Ed25519 key, PEM")
  private Path signer;

  @Option(
      names = "--texts",
      description = "put some rows in words into the results, forgotten ones too; never without this option")
  private boolean texts;

  @Option(
      names = "--calibrate",
      description = "compare forgetting where the mixture with the original still knows the retained rows as before")
  private boolean calibrate;

  @Option(
      names = "--relearn",
      paramLabel = "K",
      description = "measure what K steps of training on half of the forgotten rows bring back of the others")
  private Integer relearn;

  @Option(
      names = "--relearn-rate",
      paramLabel = "X",
      defaultValue = "1e-3",
      description = "learning rate of --relearn (default: ${DEFAULT-VALUE})")
  private double relearnRate;

  @Option(
      names = "--four-bits",
      description = "measure what rounding the merged weights to NF4 brings back of the forgotten rows")
  private boolean fourBits;

  @Option(
      names = "--answers",
      paramLabel = "YES,NO",
      split = ",",
      description = "all rows answer one of these two: measure AUC and accuracy, as TALLRec does")
  private List<String> answers = List.of();

  public AssessCommand(Console console) {
    super(console);
  }

  @Override
  public void check() {
    requests.check(this);
    require(rows >= 1 && answered >= 1 && maxNewTokens >= 1, "--rows, --answered and --max-new-tokens are at least 1");
    require(draws >= 100, "--draws is at least 100, got " + draws);
    require(relearn == null || relearn >= 1, "--relearn is at least 1, got " + relearn);
    require(relearnRate > 0 && Double.isFinite(relearnRate), "--relearn-rate is above 0, got " + relearnRate);
    require(answers.isEmpty() || answers.size() == 2, "--answers names two answers, as in Yes.,No.");
    require(
        answers.isEmpty() || Files.isRegularFile(data), "--answers reads --data once more, which must be a file: " + data);
  }

  @Override
  public int run() {
    check();
    PrivateKey key = signer == null ? null : Signing.privateKey(signer);
    take(out);
    try (Session session = dataOptions.in(model.open(this, common.openDevices(this)))) {
      Session.Reading reading = dataOptions.reading();
      UnlearnRequest request =
          requests.request(this, session, reading, original.getFirst(), session.load(data, reading));
      require(!request.isEmpty(), "there is nothing to assess: name rows by --forget or --replace");
      try (Subjects subjects = Subjects.open(session, original, unlearned, retrained, noise)) {
        List<Sample> others = heldOut == null ? List.of() : session.samples(heldOut, reading);
        TofuFiles questions = questions(session);
        BatchLimits limits = limits(session, reading, subjects, request, others, questions);
        AssessmentRecord record =
            assessment(session, reading, subjects, request, questions, limits).heldOut(others).run();
        AssessmentFolder.write(out, record, HtmlReport.of(record), key);
        if (output.json) {
          print(AssessmentJson.of(record));
        } else {
          print(AssessmentText.of(record));
          print("assessment.json and report.html are in " + out);
        }
        return ExitCode.DONE;
      }
    }
  }

  /** Null where nobody asks for them. */
  private TofuFiles questions(Session session) {
    require(
        tofu == null || session.tokenizer() != null, model.model + " has no tokenizer.json, which --tofu needs");
    return tofu == null ? null : TofuFiles.read(tofu);
  }

  private BatchLimits limits(
      Session session,
      Session.Reading reading,
      Subjects subjects,
      UnlearnRequest request,
      List<Sample> others,
      TofuFiles questions) {
    int newTokens = session.tokenizer() == null ? 0 : maxNewTokens;
    Work work = Assessment.work("assess", session.spec(), subjects.all().size(), newTokens, !others.isEmpty());
    if (relearn != null) {
      work = work.then(Relearning.work(request));
    }
    if (fourBits) {
      work = work.then(FourBits.work(session));
    }
    List<Sample> asked = questions == null ? List.of() : Tofu.samples(session, reading, questions);
    List<Sample> rows =
        Stream.of(request.data(), request.replacements(), others, asked).flatMap(List::stream).toList();
    return dataOptions.limits(this, session, work, subjects.first().getFirst().model(), rows, false);
  }

  private Assessment assessment(
      Session session,
      Session.Reading reading,
      Subjects subjects,
      UnlearnRequest request,
      TofuFiles questions,
      BatchLimits limits) {
    Assessment.Options options =
        new Assessment.Options(rows, answered, maxNewTokens, draws, common.seed, texts, limits);
    Assessment assessment = new Assessment(session, subjects, request, options).monitor(watch());
    if (questions != null) {
      assessment.with(new Tofu(session, reading, questions, options));
    }
    if (calibrate) {
      assessment.with(new Calibration(options));
    }
    if (relearn != null) {
      assessment.with(new Relearning(options, relearn, relearnRate));
    }
    if (fourBits) {
      assessment.with(new FourBits(session, options));
    }
    if (!answers.isEmpty()) {
      List<Row> others = heldOut == null ? List.of() : session.rowsAgain(heldOut, reading);
      assessment.with(
          new Choices(session, reading, session.rowsAgain(data, reading), others, answers, options));
    }
    return assessment;
  }

  private AssessmentMonitor watch() {
    return new AssessmentMonitor() {
      private Progress.Task task;

      @Override
      public void phase(String what, int count) {
        stopIfAsked();
        task = progress().start(what, count, "rows", 1);
      }

      @Override
      public void done(int count) {
        stopIfAsked();
        task.done(count);
      }
    };
  }

  private void require(boolean holds, String message) {
    if (!holds) {
      throw usage(message);
    }
  }
}
