package dev.lethe.cli;

import dev.lethe.backend.Backend;
import dev.lethe.backend.selftest.SelfTest;
import dev.lethe.format.StrictJson;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Every kernel and mode of a backend against the reference. */
@Command(
    name = "selftest",
    description = "Computes every kernel in every mode on a device and on the reference, and compares.")
final class SelftestCommand extends LetheCommand {
  @Mixin private CommonOptions common;

  SelftestCommand(Console console) {
    super(console);
  }

  @Override
  int run() {
    try (Backend backend = common.openBackend(this)) {
      List<SelfTest.Row> rows = SelfTest.run(backend, common.seed);
      long failed = rows.stream().filter(row -> !row.passed()).count();
      if (output.json) {
        rows.forEach(row -> print(json(backend, row)));
      } else {
        print(backend.description());
        print("");
        print("%-10s %-22s %12s %12s".formatted("kernel", "mode", "error", "allowed"));
        rows.forEach(row -> print(line(row)));
        print("");
        print(
            failed == 0
                ? "All %d checks agree with the reference.".formatted(rows.size())
                : "%d of %d checks FAILED: do not trust results of this device."
                    .formatted(failed, rows.size()));
      }
      return failed == 0 ? ExitCode.DONE : ExitCode.FAILED;
    }
  }

  private static String line(SelfTest.Row row) {
    return "%-10s %-22s %12.2e %12.0e%s"
        .formatted(
            row.kernel(), row.mode(), row.error(), row.allowed(), row.passed() ? "" : "  FAILED");
  }

  private static tools.jackson.databind.JsonNode json(Backend backend, SelfTest.Row row) {
    return StrictJson.newObject()
        .put("device", backend.name())
        .put("kernel", row.kernel())
        .put("mode", row.mode())
        .put("error", row.error())
        .put("allowed", row.allowed())
        .put("passed", row.passed());
  }
}
