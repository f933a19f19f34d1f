package dev.lethe.cli;

import dev.lethe.Text;
import dev.lethe.cli.command.AssessCommand;
import dev.lethe.cli.command.BenchCommand;
import dev.lethe.cli.command.CompareCommand;
import dev.lethe.cli.command.DemoCommand;
import dev.lethe.cli.command.DoctorCommand;
import dev.lethe.cli.command.EvaluateCommand;
import dev.lethe.cli.command.ExportCommand;
import dev.lethe.cli.command.GenerateCommand;
import dev.lethe.cli.command.GradientsCommand;
import dev.lethe.cli.command.HvpCommand;
import dev.lethe.cli.command.InfluenceCommand;
import dev.lethe.cli.command.InspectCommand;
import dev.lethe.cli.command.MergeCommand;
import dev.lethe.cli.command.MergeShardsCommand;
import dev.lethe.cli.command.PrepareCommand;
import dev.lethe.cli.command.SelftestCommand;
import dev.lethe.cli.command.TrainCommand;
import dev.lethe.cli.command.UnlearnCommand;
import dev.lethe.cli.command.VerifyCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.LogLines;
import dev.lethe.cli.terminal.StopSignal;
import dev.lethe.session.Interrupt;
import dev.lethe.session.Versions;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The program {@code lethe}: reads the command line, runs one command, maps its outcome to an exit code. */
@Command(
    name = "lethe",
    synopsisSubcommandLabel = "COMMAND",
    description = {
      "Makes a fine-tuned language model forget, correct or rewrite named training examples.",
      ""
    },
    footer = {
      "",
      "lethe COMMAND --help explains a command; lethe demo shows the whole story.",
      "Exit codes: 0 done, 1 failed, 2 usage, 3 environment, 130 interrupted and resumable."
    },
    versionProvider = Main.Version.class)
public final class Main {
  private static final String ERASE_LINE_ABOVE = "\u001b[1A\u001b[2K\r";

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "print this help")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "print the version")
  private boolean version;

  private Main() {}

  /** Runs a command and exits with its code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // the program speaks English, its libraries too
    LogLines.install();
    boolean terminal = Boolean.getBoolean("lethe.terminal");
    if (terminal) {
      System.err.print(ERASE_LINE_ABOVE); // in which java has announced its incubator module
      System.err.flush();
    }
    Console console = new Console(System.out, System.err, terminal, new Interrupt());
    StopSignal signal = StopSignal.install(console);
    signal.exit(run(args, console));
  }

  /** Runs a command and returns its exit code. */
  static int run(String[] args, Console console) {
    int code;
    try {
      CommandLine commands = commands(console);
      commands.setExecutionExceptionHandler(
          (e, command, parsed) -> Ending.of(e, command.getCommand(), console.err()));
      code = commands.execute(args);
    } catch (Throwable e) { // whatever it is, the process must end: the shutdown waits for its code
      code = Ending.of(e, null, console.err());
    }
    boolean written = !console.out().checkError();
    if (!written && code == ExitCode.DONE) {
      console.err().println("lethe: standard output could not be written; results are missing");
      code = ExitCode.FAILED;
    }
    console.err().flush();
    return code;
  }

  /** All commands, which print to the console. */
  static CommandLine commands(Console console) {
    CommandLine main = new CommandLine(new Main());
    main.addSubcommand(new DemoCommand(console));
    main.addSubcommand(new DoctorCommand(console));
    main.addSubcommand(new InspectCommand(console));
    main.addSubcommand(new GenerateCommand(console));
    main.addSubcommand(new MergeCommand(console));
    main.addSubcommand(new ExportCommand(console));
    main.addSubcommand(new EvaluateCommand(console));
    main.addSubcommand(new AssessCommand(console));
    main.addSubcommand(new VerifyCommand(console));
    main.addSubcommand(new TrainCommand(console));
    main.addSubcommand(new GradientsCommand(console));
    main.addSubcommand(new HvpCommand(console));
    main.addSubcommand(new InfluenceCommand(console));
    main.addSubcommand(new PrepareCommand(console));
    main.addSubcommand(new MergeShardsCommand(console));
    main.addSubcommand(new UnlearnCommand(console));
    main.addSubcommand(new BenchCommand(console));
    main.addSubcommand(new CompareCommand(console));
    main.addSubcommand(new SelftestCommand(console));
    main.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8));
    main.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
    main.setUsageHelpAutoWidth(true);
    main.setExpandAtFiles(false); // --forget @FILE is ours
    main.setParameterExceptionHandler((e, arguments) -> usageError(e));
    return main;
  }

  private static int usageError(ParameterException e) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    if (command.getParent() == null && e instanceof UnmatchedArgumentException unknown) {
      err.println("lethe: there is no command " + Text.quote(unknown.getUnmatched().getFirst()));
    } else {
      err.println("lethe: " + Text.printable(e.getMessage()));
    }
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try '" + command.getCommandSpec().qualifiedName(" ") + " --help'.");
    return ExitCode.USAGE;
  }

  /** What {@code --version} prints. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      Versions versions = Versions.current();
      return new String[] {
        "lethe " + versions.lethe() + ", commit " + versions.commit(),
        "java " + versions.java() + ", " + versions.system()
      };
    }
  }
}
