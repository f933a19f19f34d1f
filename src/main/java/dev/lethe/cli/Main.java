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
import dev.lethe.cli.command.StudyCommand;
import dev.lethe.cli.command.TrainCommand;
import dev.lethe.cli.command.UnlearnCommand;
import dev.lethe.cli.command.VerifyCommand;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.LogLines;
import dev.lethe.cli.terminal.StopSignal;
import dev.lethe.session.Interrupt;
import dev.lethe.session.machine.Versions;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.CommandSpec;
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

  /** How each command is made, in the order of the help. */
  private static final Map<Class<?>, Function<Console, Object>> COMMANDS = new LinkedHashMap<>();

  static {
    COMMANDS.put(DemoCommand.class, DemoCommand::new);
    COMMANDS.put(DoctorCommand.class, DoctorCommand::new);
    COMMANDS.put(InspectCommand.class, InspectCommand::new);
    COMMANDS.put(GenerateCommand.class, GenerateCommand::new);
    COMMANDS.put(MergeCommand.class, MergeCommand::new);
    COMMANDS.put(ExportCommand.class, ExportCommand::new);
    COMMANDS.put(EvaluateCommand.class, EvaluateCommand::new);
    COMMANDS.put(AssessCommand.class, AssessCommand::new);
    COMMANDS.put(VerifyCommand.class, VerifyCommand::new);
    COMMANDS.put(StudyCommand.class, console -> new StudyCommand(console, Main::run, Main::check));
    COMMANDS.put(TrainCommand.class, TrainCommand::new);
    COMMANDS.put(GradientsCommand.class, GradientsCommand::new);
    COMMANDS.put(HvpCommand.class, HvpCommand::new);
    COMMANDS.put(InfluenceCommand.class, InfluenceCommand::new);
    COMMANDS.put(PrepareCommand.class, PrepareCommand::new);
    COMMANDS.put(MergeShardsCommand.class, MergeShardsCommand::new);
    COMMANDS.put(UnlearnCommand.class, UnlearnCommand::new);
    COMMANDS.put(BenchCommand.class, BenchCommand::new);
    COMMANDS.put(CompareCommand.class, CompareCommand::new);
    COMMANDS.put(SelftestCommand.class, SelftestCommand::new);
  }

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
  public static int run(String[] args, Console console) {
    int code;
    try {
      CommandLine commands = commands(console, args);
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

  /** Refuses a command line that cannot be, without doing anything. */
  private static void check(String[] args, Console console) {
    CommandLine.ParseResult parsed = commands(console, args).parseArgs(args);
    if (parsed.subcommand().commandSpec().userObject() instanceof LetheCommand command) {
      command.check();
    }
  }

  /** The names of all commands, in the order of the help. */
  static List<String> names() {
    return COMMANDS.keySet().stream().map(type -> type.getAnnotation(Command.class).name()).toList();
  }

  /** All commands, which print to the console. */
  static CommandLine commands(Console console) {
    return commands(console, any -> true);
  }

  /** All commands, of which only the one that the command line names has its options: reading them takes time. */
  private static CommandLine commands(Console console, String[] args) {
    Optional<String> asked = Stream.of(args).filter(word -> !word.startsWith("-")).findFirst();
    return commands(console, asked.<Predicate<String>>map(word -> word::equals).orElse(none -> false));
  }

  private static CommandLine commands(Console console, Predicate<String> whole) {
    CommandLine main = new CommandLine(new Main());
    COMMANDS.forEach(
        (type, made) -> {
          Command told = type.getAnnotation(Command.class);
          main.addSubcommand(told.name(), whole.test(told.name()) ? made.apply(console) : outline(told));
        });
    main.setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8));
    main.setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8));
    main.setColorScheme(Help.defaultColorScheme(Help.Ansi.OFF)); // the launcher has help as plain text
    main.setExpandAtFiles(false); // --forget @FILE is ours
    main.setParameterExceptionHandler((e, arguments) -> usageError(e));
    return main;
  }

  /** A command's name and what it does. */
  private static CommandSpec outline(Command told) {
    CommandSpec spec = CommandSpec.create().name(told.name());
    spec.usageMessage().description(told.description());
    return spec;
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
