package dev.lethe.format.file;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A process of its own that takes the name of an output and keeps it until it is ended. */
public final class OutputHolder implements AutoCloseable {
  private final Process process;

  /** Starts it; the name is taken when this returns. */
  public OutputHolder(Path target) throws IOException {
    Path java = Path.of(System.getProperty("java.home"), "bin", "java");
    List<String> command = new ArrayList<>(List.of(java.toString(), "-Xmx64m", "-cp"));
    command.add(System.getProperty("java.class.path"));
    command.addAll(List.of(OutputHolder.class.getName(), target.toString()));
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    int said = process.getInputStream().read();
    if (said != 'h') {
      throw new IOException("the holder said " + said);
    }
  }

  /** In the process. */
  public static void main(String[] args) throws IOException, InterruptedException {
    try (OutputName name = OutputName.take(Path.of(args[0]))) {
      System.out.write('h');
      System.out.flush();
      Thread.sleep(Long.MAX_VALUE);
    }
  }

  /** Its number. */
  public long pid() {
    return process.pid();
  }

  /** Kills it, so that it cleans nothing up. */
  @Override
  public void close() {
    try {
      process.destroyForcibly().waitFor();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
