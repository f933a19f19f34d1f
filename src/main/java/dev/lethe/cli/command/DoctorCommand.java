package dev.lethe.cli.command;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.BackendProvider.Availability;
import dev.lethe.backend.BackendProvider.Part;
import dev.lethe.backend.Backends;
import dev.lethe.backend.Backends.Explanation;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.SecondStart;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.Versions;
import dev.lethe.tokenizer.HfTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What this machine offers, why not more, and the one line that would change it. */
@Command(
    name = "doctor",
    description = "Says what this machine offers: backends, memory, Java, tokenizer; and what would help.")
public final class DoctorCommand extends LetheCommand {
  private static final String SMALLEST_TOKENIZER =
      "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"a\"}}";

  public DoctorCommand(Console console) {
    super(console);
  }

  private enum State {
    OK,
    LIMITED,
    ABSENT
  }

  private record Finding(String subject, State state, String detail, String remedy) {}

  @Override
  public int run() {
    SecondStart.whereItHelps();
    List<Finding> findings = new ArrayList<>();
    Versions versions = Versions.current();
    Machine machine = Machine.current();
    findings.add(java());
    findings.add(vectorModule());
    findings.add(
        ok("processor", machine.cpu() + ", " + machine.processors() + " usable"));
    findings.add(
        ok(
            "memory",
            Text.format(
                "%s, %s free now, Java heap at most %s",
                Machine.bytes(machine.totalMemory()),
                Machine.bytes(machine.availableMemory()),
                Machine.bytes(Runtime.getRuntime().maxMemory()))));
    findings.add(tokenizer());
    List<Explanation> backends = Backends.explain();
    String chosen =
        backends.stream()
            .filter(b -> b.priority() >= 0 && b.availability().usable())
            .map(Explanation::name)
            .findFirst()
            .orElse(null);
    for (Explanation backend : backends) {
      findings.add(finding(backend, chosen));
      if (backend.availability().usable()) {
        Backends.parts(backend.name()).forEach(part -> findings.add(finding(part)));
      }
    }
    if (output.json) {
      print(json(versions, findings, chosen));
    } else {
      printText(versions, findings, chosen);
    }
    return chosen == null ? ExitCode.ENVIRONMENT : ExitCode.DONE;
  }

  private void printText(Versions versions, List<Finding> findings, String chosen) {
    print("Lethe " + versions.lethe() + ", commit " + versions.commit() + ", " + versions.system());
    print("");
    for (Finding finding : findings) {
      String mark =
          switch (finding.state) {
            case OK -> "ok  ";
            case LIMITED -> "!   ";
            case ABSENT -> "-   ";
          };
      print(mark + Text.format("%-18s %s", finding.subject, finding.detail));
      if (finding.remedy != null) {
        print(Text.format("    %-18s -> %s", "", finding.remedy));
      }
    }
    print("");
    print(
        chosen == null
            ? "No backend can run here."
            : "Commands use --device " + chosen + " unless you say otherwise.");
  }

  private static ObjectNode json(Versions versions, List<Finding> findings, String chosen) {
    ObjectNode json = StrictJson.newObject();
    versions.toMap().forEach(json::put);
    json.put("device", chosen);
    ArrayNode list = json.putArray("findings");
    for (Finding finding : findings) {
      list.addObject()
          .put("subject", finding.subject)
          .put("state", finding.state.name().toLowerCase(java.util.Locale.ROOT))
          .put("detail", finding.detail)
          .put("remedy", finding.remedy);
    }
    return json;
  }

  private static Finding java() {
    String found =
        Text.format("%s, %s", System.getProperty("java.runtime.version"), System.getProperty("java.home"));
    return ok("java", found);
  }

  private static Finding vectorModule() {
    if (ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()) {
      return ok("vector module", "jdk.incubator.vector is present");
    }
    if (!SecondStart.vectorsWouldHelp()) {
      return ok("vector module", "jdk.incubator.vector is not added; native code does its work");
    }
    return new Finding(
        "vector module",
        State.LIMITED,
        "jdk.incubator.vector is not added, so the CPU backend is slow",
        "Start with bin/lethe, or pass java --add-modules jdk.incubator.vector");
  }

  private static Finding tokenizer() {
    try {
      Path folder = Files.createTempDirectory("lethe-doctor");
      Path file = folder.resolve("tokenizer.json");
      try {
        Files.writeString(file, SMALLEST_TOKENIZER);
        try (HfTokenizer tokenizer = HfTokenizer.open(folder)) {
          tokenizer.encode("a", false);
          return ok("tokenizer", "its library loads and works");
        }
      } finally {
        Files.delete(file);
        Files.delete(folder);
      }
    } catch (LetheException | IOException e) {
      return new Finding("tokenizer", State.LIMITED, e.getMessage(), null);
    }
  }

  private static Finding finding(Explanation backend, String chosen) {
    Availability found = backend.availability();
    String subject = "backend " + backend.name();
    State state = !found.usable() ? State.ABSENT : found.remedy() == null ? State.OK : State.LIMITED;
    String suffix = backend.name().equals(chosen) ? "  (default)" : "";
    return new Finding(subject, state, found.detail() + suffix, found.remedy());
  }

  private static Finding finding(Part part) {
    State state = part.remedy() == null ? State.OK : State.LIMITED;
    return new Finding(part.name(), state, part.detail(), part.remedy());
  }

  private static Finding ok(String subject, String detail) {
    return new Finding(subject, State.OK, detail, null);
  }
}
