package dev.lethe.cli.terminal;

import dev.lethe.Text;
import java.io.PrintStream;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Tells people how far a piece of work is, as in {@code train 120/400 steps  8.1 steps/s  35 s left}.
 * Nothing is said about work shorter than two seconds. On a terminal one line updates in place,
 * elsewhere a line appears every ten seconds.
 */
public final class Progress implements AutoCloseable {
  private static final long QUIET_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long PLAIN_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long TICK_MILLIS = 200;
  private static final String WIPE_LINE = "\r\u001b[K";

  private final PrintStream out;
  private final boolean terminal;
  private final LongSupplier clock;
  private final ScheduledExecutorService ticker;
  private Task task;

  private Progress(PrintStream out, boolean terminal, LongSupplier clock, boolean ticking) {
    this.out = out;
    this.terminal = terminal;
    this.clock = clock;
    this.ticker = ticking ? startTicker() : null;
  }

  /**
   * @param out where to write: the error stream
   * @param terminal whether a line can be updated in place
   */
  public static Progress on(PrintStream out, boolean terminal) {
    return new Progress(out, terminal, System::nanoTime, true);
  }

  /** One that says nothing. */
  public static Progress silent() {
    return new Progress(null, false, System::nanoTime, false);
  }

  /** One that looks at a given clock, and only when the work reports. */
  static Progress withClock(PrintStream out, boolean terminal, LongSupplier clock) {
    return new Progress(out, terminal, clock, false);
  }

  /**
   * Starts a piece of work; it ends when closed or when the next begins.
   *
   * @param name what is being done, one or two words
   * @param total how many units there are; 0 where nobody knows
   * @param unit the units' name in the plural
   */
  public synchronized Task start(String name, long total, String unit) {
    return start(name, total, unit, 0);
  }

  /**
   * Starts a piece of work that can be followed within its units, too.
   *
   * @param passes over one sample that a unit takes, about; 0 where only the first units will tell
   */
  public synchronized Task start(String name, long total, String unit, double passes) {
    endTask();
    task = new Task(name, total, unit, clock.getAsLong(), passes);
    return task;
  }

  /** Reports an operation of a pass, see {@link dev.lethe.autograd.PassWatch}. */
  public synchronized void onOperation(int done, int all, int samples) {
    if (task != null) {
      task.within(done, all, samples);
    }
  }

  /** Says something that stays, without breaking the updating line. */
  public synchronized void say(String message) {
    if (out != null) {
      wipe();
      out.println(message);
      out.flush();
    }
  }

  /** Stops and leaves a clean line. */
  @Override
  public void close() {
    if (ticker != null) {
      ticker.shutdownNow();
    }
    endTask();
  }

  private ScheduledExecutorService startTicker() {
    ScheduledExecutorService service =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("lethe-progress").factory());
    service.scheduleAtFixedRate(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    return service;
  }

  private synchronized void tick() {
    if (task != null) {
      task.show();
    }
  }

  private synchronized void endTask() {
    if (task != null) {
      task.showEnd();
      task = null;
    }
  }

  private void wipe() {
    if (terminal && task != null && task.shown) {
      out.print(WIPE_LINE);
    }
  }

  /** One piece of work. */
  public final class Task implements AutoCloseable {
    private final String name;
    private final long total;
    private final String unit;
    private final long start;
    private double passesOfUnit;
    private double passes;
    private double part;
    private long done;
    private String note = "";
    private boolean shown;
    private long lastShown;

    private Task(String name, long total, String unit, long start, double passesOfUnit) {
      this.passesOfUnit = passesOfUnit;
      this.name = name;
      this.total = total;
      this.unit = unit;
      this.start = start;
      this.lastShown = start;
    }

    /** Reports units done, since the beginning. */
    public void done(long units) {
      done(units, "");
    }

    /** Reports units done, since the beginning, and a number worth watching, such as a loss. */
    public void done(long units, String newNote) {
      synchronized (Progress.this) {
        learn(units);
        done = units;
        note = newNote;
        if (ticker == null) {
          show();
        }
      }
    }

    /** From how many passes finished units took, what those to come will take. */
    private void learn(long units) {
      if (units == done) {
        return;
      }
      if (passes > 0 && units > done) {
        passesOfUnit = passes / (units - done);
      }
      passes = 0;
      part = 0;
    }

    private void within(int operations, int all, int samples) {
      part = samples * (double) operations / all;
      if (operations == all) {
        passes += part;
        part = 0;
      }
      if (ticker == null) {
        show();
      }
    }

    /** Units done, and what is done of those in work; that never counts for a whole total. */
    private double reached() {
      double within = passesOfUnit > 0 ? (passes + part) / passesOfUnit : 0;
      return total > 0 ? Math.clamp(done + within, done, Math.max(done, total - 1e-3)) : done;
    }

    /** Ends this piece of work. */
    @Override
    public void close() {
      synchronized (Progress.this) {
        if (task == this) {
          endTask();
        }
      }
    }

    private void show() {
      long now = clock.getAsLong();
      boolean due = now - lastShown >= (shown ? PLAIN_NANOS : QUIET_NANOS);
      if (out == null || now - start < QUIET_NANOS || !(terminal || due)) {
        return;
      }
      String line = line(now);
      out.print(terminal ? WIPE_LINE + line : line + System.lineSeparator());
      out.flush();
      shown = true;
      lastShown = now;
    }

    private void showEnd() {
      if (!shown) {
        return;
      }
      String units = done > 0 ? Text.format(" %,d %s", done, done == 1 ? singular(unit) : unit) : "";
      String end = name + ":" + units + " in " + duration((clock.getAsLong() - start) / 1e9);
      out.println((terminal ? WIPE_LINE : "") + end + note());
      out.flush();
    }

    private String line(long now) {
      double seconds = (now - start) / 1e9;
      double reached = reached();
      StringBuilder line = new StringBuilder(name);
      if (total > 0) {
        String count = reached == done ? "%,.0f/%,d %s" : "%,.1f/%,d %s";
        line.append(" ").append(Text.format(count, Math.floor(reached * 10) / 10, total, unit));
      } else if (done > 0) {
        line.append(Text.format(" %,d %s", done, unit));
      }
      if (reached > 0) {
        line.append("  ").append(rate(reached / seconds));
      } else {
        line.append("  ").append(duration(seconds));
      }
      if (reached > 0 && total > reached) {
        line.append("  ").append(duration(seconds * (total - reached) / reached)).append(" left");
      }
      return line.append(note()).toString();
    }

    private String note() {
      return note.isEmpty() ? "" : "  " + note;
    }

    private String rate(double perSecond) {
      return perSecond >= 1
          ? Text.format(perSecond < 20 ? "%.1f/s" : "%,.0f/s", perSecond)
          : Text.format("%s each", duration(1 / perSecond));
    }
  }

  private static String singular(String plural) {
    return plural.endsWith("ies")
        ? plural.substring(0, plural.length() - 3) + "y"
        : plural.replaceFirst("s$", "");
  }

  /** A length of time as people say it: {@code 0.42 s}, {@code 35 s}, {@code 1m42s}, {@code 2h05m}. */
  public static String duration(double seconds) {
    if (seconds < 10) {
      return Text.format(seconds < 1 ? "%.2f s" : "%.1f s", seconds);
    }
    long whole = Math.round(seconds);
    if (whole < 60) {
      return whole + " s";
    }
    return whole < 3600
        ? Text.format("%dm%02ds", whole / 60, whole % 60)
        : Text.format("%dh%02dm", whole / 3600, whole / 60 % 60);
  }
}
