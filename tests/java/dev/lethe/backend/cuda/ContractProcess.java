package dev.lethe.backend.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import dev.lethe.backend.cuda.ContractRun.Suite;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A process that runs contract cases against one library of emulated kernels after another, which saves the start of
 * a process for each. Where a library ends the process, the next begins with a new one.
 */
final class ContractProcess implements AutoCloseable {
  private Process process;
  private BufferedReader output;

  /** Runs these cases, up to the first that fails; see {@link ContractRun#inProcess}. */
  Outcome run(Path library, int rounds, Suite suite) throws IOException {
    if (process == null || !process.isAlive()) {
      List<String> command = ContractRun.command(List.of());
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
      output = process.inputReader(UTF_8);
    }
    process.outputWriter(UTF_8).write("%s\t%d\t%s%n".formatted(library, rounds, suite.text()));
    process.outputWriter(UTF_8).flush();
    CompletableFuture<Void> ends =
        CompletableFuture.runAsync(
            process::destroyForcibly,
            CompletableFuture.delayedExecutor(ContractRun.MINUTES, TimeUnit.MINUTES));
    try {
      return answer();
    } finally {
      ends.cancel(false);
    }
  }

  private Outcome answer() throws IOException {
    StringBuilder text = new StringBuilder();
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.startsWith(ContractRun.ANSWER)) {
        String status = line.substring(ContractRun.ANSWER.length());
        return new Outcome(Integer.parseInt(status), text.toString());
      }
      text.append(line).append('\n');
    }
    return new Outcome(process.onExit().join().exitValue(), text.toString());
  }

  @Override
  public void close() throws InterruptedException {
    if (process != null) {
      process.destroyForcibly().waitFor();
    }
  }
}
