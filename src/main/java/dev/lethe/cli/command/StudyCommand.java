package dev.lethe.cli.command;

import dev.lethe.LetheException;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.session.InterruptedRun;
import dev.lethe.study.PlanReader;
import dev.lethe.study.Study;
import dev.lethe.study.StudyFolder;
import dev.lethe.study.StudyPlan;
import dev.lethe.study.StudyReport;
import dev.lethe.study.StudyStep;
import dev.lethe.study.StudyTable;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.ToIntBiFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** Runs what is missing of a plan of trainings, unlearnings and assessments. */
@Command(
    name = "study",
    description = {
      "Runs what is missing of a plan (JSON) that lists models, data, trainings, requests, methods and seeds; each step is",
      "a command of this program. Finished steps are kept: interrupt it and run it again, or give parts to several",
      "machines by --shard. Writes one table with means and 95 % intervals over seeds, cost beside quality, and plots."
    })
public final class StudyCommand extends LetheCommand {
  private static final Pattern SHARD = Pattern.compile("([0-9]{1,6})/([0-9]{1,6})");

  private final ToIntBiFunction<String[], Console> lethe;
  private final BiConsumer<String[], Console> parser;

  @Parameters(index = "0", paramLabel = "PLAN", description = "the plan, see docs/study.md")
  private Path plan;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "folder of the study, new or begun")
  private Path out;

  @Option(
      names = "--files",
      paramLabel = "DIR",
      description = "the folder that paths in the plan begin in (default: that of the plan)")
  private Path files;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      defaultValue = "1/1",
      description = "run the I-th of N parts; all parts may write into one folder (default: ${DEFAULT-VALUE})")
  private String shard;

  @Option(
      names = "--only",
      paramLabel = "METHOD,METHOD",
      split = ",",
      description = "run these methods of the plan, and leave the others to another run (default: all)")
  private List<String> only;

  @Option(names = "--table-only", description = "run nothing: make the table of what is there")
  private boolean tableOnly;

  @Option(names = "--device", paramLabel = "D", description = "passed on to every step")
  private String device;

  @Option(names = "--threads", paramLabel = "N", description = "passed on to every step")
  private Integer threads;

  /**
   * @param lethe runs a command line of this program and returns its exit code
   * @param parser refuses a command line that cannot be
   */
  public StudyCommand(
      Console console, ToIntBiFunction<String[], Console> lethe, BiConsumer<String[], Console> parser) {
    super(console);
    this.lethe = lethe;
    this.parser = parser;
  }

  @Override
  public int run() {
    Matcher part = SHARD.matcher(shard);
    boolean fits = part.matches() && Long.parseLong(part.group(1)) >= 1;
    require(
        fits && Integer.parseInt(part.group(1)) <= Integer.parseInt(part.group(2)),
        "--shard is I/N with I from 1 to N", shard);
    Path root = files == null ? plan.toAbsolutePath().getParent() : files;
    StudyPlan checked = PlanReader.read(plan, root);
    StudyFolder folder = new StudyFolder(out, root);
    Study study = new Study(checked, folder, step -> step(folder, step));
    study.all().forEach(step -> parse(folder, step));
    folder.writeData(checked);
    study.requireRequests();
    Set<String> methods = only == null ? checked.methods().keySet() : new LinkedHashSet<>(only);
    require(
        checked.methods().keySet().containsAll(methods),
        "--only names methods of the plan: " + String.join(", ", checked.methods().keySet()), methods);
    if (!tableOnly) {
      study.run(Integer.parseInt(part.group(1)) - 1, Integer.parseInt(part.group(2)), methods);
    }
    StudyTable table = study.table();
    String text = StudyReport.write(checked, plan, table, out);
    if (output.json) {
      print(table.toJson());
    } else {
      console.out().print(text);
    }
    return ExitCode.DONE;
  }

  private void parse(StudyFolder folder, StudyStep step) {
    try {
      parser.accept(args(folder, step), quiet(OutputStream.nullOutputStream()));
    } catch (ParameterException e) {
      throw new LetheException(
          plan.toString(), "the step '" + step.name() + "' is no command", null, e.getMessage(),
          "Correct the plan: " + String.join(" ", step.args()));
    }
  }

  private StudyFolder.Note step(StudyFolder folder, StudyStep step) {
    if (console.interrupt().requested()) {
      throw new InterruptedRun("interrupted; what is finished is kept. Run the same command again.");
    }
    if (!output.quiet) {
      console.err().println("lethe: " + step.name());
    }
    requireFree(folder, step);
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    long start = System.nanoTime();
    int code = lethe.applyAsInt(args(folder, step), quiet(said));
    double seconds = (System.nanoTime() - start) / 1e9;
    String message = said.toString(StandardCharsets.UTF_8).strip();
    if (code == ExitCode.INTERRUPTED) {
      throw new InterruptedRun("interrupted; what is finished is kept. Run the same command again.");
    }
    if (code != ExitCode.DONE && !(step.mayFail() && code == ExitCode.FAILED)) {
      throw new LetheException(
          "step '" + step.name() + "'", "failed", null, message, "Command: lethe " + String.join(" ", step.args()));
    }
    return new StudyFolder.Note(seconds, code == ExitCode.DONE ? null : message);
  }

  /** A step's output without a note: its process ended before it could write one, or it is not this study's. */
  private static void requireFree(StudyFolder folder, StudyStep step) {
    if (step.output() != null && Files.exists(folder.at(step.output()))) {
      throw new LetheException(
          folder.at(step.output()).toString(), "the step's output is there, and nothing says how it was made",
          "nothing", "a folder", "Delete it, and the step is done again.");
    }
  }

  private String[] args(StudyFolder folder, StudyStep step) {
    List<String> args = new ArrayList<>(folder.args(step));
    args.add("--quiet");
    if (device != null) {
      args.addAll(List.of("--device", device));
    }
    if (threads != null) {
      args.addAll(List.of("--threads", threads.toString()));
    }
    boolean unfinished =
        step.output() != null && Files.exists(folder.at(step.output() + ".unfinished"));
    if (unfinished) {
      args.add("--resume");
    }
    return args.toArray(String[]::new);
  }

  private Console quiet(OutputStream err) {
    return new Console(
        new PrintStream(OutputStream.nullOutputStream()),
        new PrintStream(err, true, StandardCharsets.UTF_8),
        false,
        console.interrupt());
  }
}
