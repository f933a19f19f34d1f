package dev.lethe.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.tensor.LostScopes;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntFunction;
import java.util.stream.Collectors;

/**
 * Mutated files: nothing but a {@link LetheException} with a short, printable message may leave a reader, which may
 * allocate in proportion to the file, take time in proportion to it, and closes the scopes that it opened.
 * -Dlethe.fuzz.rounds says how many; a failure names its round, from which the same file is made again.
 */
public final class Fuzz {
  public static final int ROUNDS = Integer.getInteger("lethe.fuzz.rounds", 10_000);

  /** As many for readers of whole folders, which take milliseconds. */
  public static final int FEWER = Math.max(100, ROUNDS / 10);

  /** What any file may make a reader allocate (hashes are made in pieces of 1 MiB), and what each of its bytes may. */
  private static final long ALLOCATION = 4L << 20;

  private static final long ALLOCATION_PER_BYTE = 200;

  /** A file of four times the size may take so much longer; sixteen would be a quadratic reader. */
  private static final double SLOWER = 10;

  private static final com.sun.management.ThreadMXBean THREADS =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  private static final String[] TOKENS = {
    "{", "}", "[", "]", ",", ":", "\"", "null", "true", "-1", "0", "1e9", "1e999999999", "NaN", "\\u0000",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "4294967296", "2147483647", "\"\"", "\\",
    "\"__metadata__\"", "\"F64\"", "\uD83E\uDD99", "\n", "[[[[", "{\"a\":{\"a\":", "1.5", "\"..\"", "\u001b[2J",
    "\\ud800", "(", ")*", "(?P<a>", "[^", "{1,99999}", "../", "\r", "\t", "#", "@", "1-9", "'"
  };

  private Fuzz() {}

  /** Reads a file as the library does. */
  public interface Reader {
    void read(Path file) throws IOException;
  }

  /** Reads each seed as it is, and mutations of them; some must be refused. */
  public static void mutations(Path file, List<byte[]> seeds, Reader reader) throws IOException {
    assertTrue(mutations(ROUNDS, file, seeds, reader) > 0, "no mutation was ever refused");
  }

  /** The same with so many mutations; returns how many were refused. */
  public static int mutations(int rounds, Path file, List<byte[]> seeds, Reader reader) throws IOException {
    for (byte[] seed : seeds) {
      Files.write(file, seed);
      refused(file, reader, "a seed"); // loads classes, which allocates
    }
    int refused = 0;
    try (LostScopes lost = new LostScopes()) {
      for (int round = 0; round < rounds; round++) {
        byte[] mutated = mutated(seeds, round);
        Files.write(file, mutated);
        long before = THREADS.getCurrentThreadAllocatedBytes();
        refused += refused(file, reader, "round " + round) ? 1 : 0;
        long allocated = THREADS.getCurrentThreadAllocatedBytes() - before;
        assertTrue(
            allocated < ALLOCATION + ALLOCATION_PER_BYTE * mutated.length,
            "round " + round + ": " + mutated.length + " bytes made it allocate " + allocated);
      }
      assertEquals(List.of(), lost.collected(), "scopes that nobody closed");
    }
    return refused;
  }

  /** The file of a round. */
  static byte[] mutated(List<byte[]> seeds, int round) {
    Random random = new Random(round);
    return mutate(seeds.get(random.nextInt(seeds.size())), random);
  }

  /** Whether a file is refused; fails where it is refused in any but the right way. */
  static boolean refused(Path file, Reader reader, String round) throws IOException {
    try {
      reader.read(file);
      return false;
    } catch (LetheException expected) {
      String message = expected.getMessage();
      assertTrue(message.length() < 4000, round + ": endless message");
      assertEquals(message.lines().map(Text::printable).collect(Collectors.joining("\n")), message, round);
      return true;
    } catch (RuntimeException | Error e) {
      return fail(round + " let " + e + " escape", e);
    }
  }

  /** Files of one kind in two sizes: time and memory grow as the file does. */
  static void growth(Path file, int size, IntFunction<String> text, Reader reader) throws IOException {
    Cost small = cost(file, text.apply(size), reader);
    Cost large = cost(file, text.apply(4 * size), reader);
    assertTrue(
        large.allocated < SLOWER * small.allocated + ALLOCATION,
        "allocates " + small.allocated + " and then " + large.allocated + " bytes");
    assertTrue(
        large.nanos < SLOWER * small.nanos + 20e6,
        "takes " + small.nanos / 1e6 + " ms and then " + large.nanos / 1e6 + " ms");
  }

  private record Cost(long nanos, long allocated) {}

  /** The least of several runs. */
  private static Cost cost(Path file, String text, Reader reader) throws IOException {
    Files.writeString(file, text);
    long nanos = Long.MAX_VALUE;
    long allocated = Long.MAX_VALUE;
    for (int run = 0; run < 4; run++) {
      long bytes = THREADS.getCurrentThreadAllocatedBytes();
      long start = THREADS.getCurrentThreadCpuTime();
      refused(file, reader, "a large file");
      nanos = Math.min(nanos, THREADS.getCurrentThreadCpuTime() - start);
      allocated = Math.min(allocated, THREADS.getCurrentThreadAllocatedBytes() - bytes);
    }
    return new Cost(nanos, allocated);
  }

  private static byte[] mutate(byte[] seed, Random random) {
    byte[] bytes = seed.clone();
    int edits = 1 + random.nextInt(4);
    for (int i = 0; i < edits && bytes.length > 0; i++) {
      int at = random.nextInt(bytes.length);
      String token = TOKENS[random.nextInt(TOKENS.length)];
      bytes =
          switch (random.nextInt(7)) {
            case 0 -> flip(bytes, at, random);
            case 1 -> random.nextInt(4) == 0 ? Arrays.copyOf(bytes, at) : flip(bytes, at, random);
            case 2 -> splice(bytes, at, at, token.getBytes(StandardCharsets.UTF_8));
            case 3 ->
                splice(
                    bytes, at, Math.min(bytes.length, at + random.nextInt(12)), token.getBytes(StandardCharsets.UTF_8));
            case 4 -> splice(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(40)), new byte[0]);
            case 5 -> {
              byte[] again = Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(60)));
              yield splice(bytes, at, at, again);
            }
            default -> flip(bytes, Math.min(random.nextInt(8), bytes.length - 1), random);
          };
    }
    return bytes;
  }

  private static byte[] flip(byte[] bytes, int at, Random random) {
    bytes[at] = (byte) random.nextInt(256);
    return bytes;
  }

  private static byte[] splice(byte[] bytes, int from, int to, byte[] middle) {
    byte[] out = new byte[from + middle.length + bytes.length - to];
    System.arraycopy(bytes, 0, out, 0, from);
    System.arraycopy(middle, 0, out, from, middle.length);
    System.arraycopy(bytes, to, out, from + middle.length, bytes.length - to);
    return out;
  }
}
