package dev.lethe.cli.terminal;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;

/**
 * Turns the first Ctrl-C (or a termination signal) into a request to stop: the JVM's shutdown waits until
 * the command has saved its state and returned. The second Ctrl-C ends the process at once, because by then
 * the signal has its default action again.
 */
public final class StopSignal {
  private static final int SIGINT = 2;

  private final Console console;
  private final CountDownLatch finished = new CountDownLatch(1);
  private volatile int code = ExitCode.INTERRUPTED;

  private StopSignal(Console console) {
    this.console = console;
  }

  /** Begins to listen. */
  public static StopSignal install(Console console) {
    StopSignal signal = new StopSignal(console);
    Runtime.getRuntime().addShutdownHook(new Thread(signal::shutdown, "lethe-stop"));
    return signal;
  }

  /** Ends the process with a command's code, on whatever way the shutdown began. */
  public void exit(int exitCode) {
    code = exitCode;
    finished.countDown();
    System.exit(exitCode);
  }

  private void shutdown() {
    if (finished.getCount() == 0) {
      return;
    }
    restoreDefaultAction();
    console.interrupt().request();
    console.err().println();
    console.err().println("lethe: stopping at the next safe point; Ctrl-C again stops at once");
    console.err().flush();
    try {
      finished.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    console.out().flush();
    console.err().flush();
    Runtime.getRuntime().halt(code);
  }

  /** {@code signal(SIGINT, SIG_DFL)}; without it a second Ctrl-C would be lost in the shutdown. */
  private static void restoreDefaultAction() {
    if (java.io.File.separatorChar != '/') {
      return;
    }
    try {
      Linker linker = Linker.nativeLinker();
      linker
          .downcallHandle(
              linker.defaultLookup().findOrThrow("signal"),
              FunctionDescriptor.of(
                  ValueLayout.ADDRESS, ValueLayout.JAVA_INT, ValueLayout.ADDRESS))
          .invoke(SIGINT, MemorySegment.NULL);
    } catch (Throwable e) {
      System.getLogger(StopSignal.class.getName())
          .log(System.Logger.Level.DEBUG, "a second Ctrl-C will not stop at once", e);
    }
  }
}
