package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.SelfTest;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.format.StrictJson;
import dev.lethe.tensor.DType;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import tools.jackson.databind.node.ObjectNode;

/** Every kernel and mode of a backend against the reference, then a whole unlearning. */
@Command(
    name = "selftest",
    description = {
      "Computes every kernel in every mode on a device and on the reference, and compares; every call",
      "twice, which must give the same bytes and write nothing but its results. Then makes a tiny model",
      "forget on both, and compares.",
      "A GPU is tested in bf16 and in f32, unless --dtype names one of them."
    })
public final class SelftestCommand extends LetheCommand {
  @Mixin private CommonOptions common;

  public SelftestCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    boolean agreed;
    boolean secondFormat;
    try (Backend backend = common.openBackend(this)) {
      secondFormat = common.dtype == null && backend.activationType() == DType.BF16;
      agreed = test(backend);
    }
    if (secondFormat) {
      common.dtype = CommonOptions.label(DType.F32);
      try (Backend backend = common.openBackend(this)) {
        agreed &= test(backend);
      }
    }
    return agreed ? ExitCode.DONE : ExitCode.FAILED;
  }

  /** Whether everything agreed. */
  private boolean test(Backend backend) {
    List<SelfTest.Row> rows;
    UnlearningCheck.Answer answer;
    try (Progress.Task task = progress().start("kernels", 0, "")) {
      rows = SelfTest.run(backend, common.seed);
    }
    try (Progress.Task task = progress().start("unlearning", 0, "")) {
      answer = UnlearningCheck.run(backend, common.seed);
    }
    if (output.json) {
      rows.forEach(row -> print(json(backend, row)));
      print(json(backend, answer));
    } else {
      printTable(backend, rows, answer);
    }
    return answer.passed() && rows.stream().allMatch(SelfTest.Row::passed);
  }

  private void printTable(
      Backend backend, List<SelfTest.Row> rows, UnlearningCheck.Answer answer) {
    print(backend.description());
    print("");
    print(Text.format("%-10s %-22s %12s %12s", "kernel", "mode", "error", "allowed"));
    rows.forEach(row -> print(line(row)));
    rows.stream().filter(row -> !row.passed()).forEach(row -> print(row.failure()));
    print("");
    print(
        Text.format(
            "A tiny model forgot 2 of %d rows: step %.2e from the reference's, allowed %.0e%s",
            UnlearningCheck.ROWS, answer.stepError(), answer.allowed(), answer.passed() ? "" : "  FAILED"));
    print(
        Text.format(
            "Loss of the forgotten rows: %.4f before, %.4f after, %.4f after on the reference",
            answer.lossBefore(), answer.forgottenLoss(), answer.referenceLoss()));
    print("");
    long failed = rows.stream().filter(row -> !row.passed()).count() + (answer.passed() ? 0 : 1);
    print(
        failed == 0
            ? Text.format("All %d checks agree with the reference.", rows.size() + 1)
            : Text.format(
                "%d of %d checks FAILED: do not trust results of this device.",
                failed, rows.size() + 1));
  }

  private static String line(SelfTest.Row row) {
    String trouble = row.passed() ? "" : "  FAILED";
    if (!row.repeatable()) {
      trouble += ": the same call gave other bytes";
    }
    if (!row.inBounds()) {
      trouble += ": it wrote outside its results";
    }
    if (row.leakedBytes() != 0) {
      trouble += Text.format(": %,d bytes not given back", row.leakedBytes());
    }
    return Text.format(
        "%-10s %-22s %12.2e %12.0e%s",
        row.kernel(), row.mode(), row.error(), row.allowed(), trouble);
  }

  private static ObjectNode json(Backend backend, SelfTest.Row row) {
    return of(backend, row.kernel(), row.mode(), row.error(), row.allowed())
        .put("cases", row.cases())
        .put("repeatable", row.repeatable())
        .put("in_bounds", row.inBounds())
        .put("leaked_bytes", row.leakedBytes())
        .put("passed", row.passed())
        .put("failure", row.failure());
  }

  private static ObjectNode json(Backend backend, UnlearningCheck.Answer answer) {
    return of(backend, "unlearning", "whole", answer.stepError(), answer.allowed())
        .put("loss_before", answer.lossBefore())
        .put("forgotten_loss", answer.forgottenLoss())
        .put("reference_loss", answer.referenceLoss())
        .put("passed", answer.passed());
  }

  private static ObjectNode of(
      Backend backend, String kernel, String mode, double error, double allowed) {
    return StrictJson.newObject()
        .put("device", backend.name())
        .put("dtype", CommonOptions.label(backend.productType()))
        .put("kernel", kernel)
        .put("mode", mode)
        .put("error", error)
        .put("allowed", allowed);
  }
}
