package dev.lethe.backend.cuda.blas;

import dev.lethe.natives.PrivateFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/**
 * Algorithms once found fastest, in a file for one library and one kind of device, so that every later process
 * uses the same ones and gets the same bytes. Of two processes that time the same product, the first to write
 * decides for both.
 */
final class AlgorithmStore {
  private static final System.Logger LOG = System.getLogger(AlgorithmStore.class.getName());
  private static final Object WITHIN_PROCESS = new Object();
  private static final long MOST_BYTES = 16L << 20;
  private static final HexFormat HEX = HexFormat.of();

  private final Path file;
  private final Map<String, byte[]> known = new HashMap<>();
  private boolean keeps;

  /**
   * @param file null: nothing is kept
   */
  AlgorithmStore(Path file) {
    this.file = file;
    this.keeps = file != null;
    if (keeps && Files.exists(file)) {
      try {
        read(Files.readString(file, StandardCharsets.ISO_8859_1));
      } catch (IOException e) {
        giveUp(e);
      }
    }
  }

  /** The store in this user's cache for a library and a device. */
  static AlgorithmStore inCache(String libraryAndDevice) {
    String name = libraryAndDevice.replaceAll("[^A-Za-z0-9.]+", "-") + ".txt";
    return new AlgorithmStore(
        PrivateFolder.lasting("products").map(folder -> folder.resolve(name)).orElse(null));
  }

  /** Whether what is put here will be found by later processes. */
  boolean keeps() {
    return keeps;
  }

  /** Null where there is none. */
  byte[] find(MatmulShape shape) {
    return known.get(shape.toString());
  }

  /**
   * Keeps an algorithm.
   *
   * @param refused what {@link #find} gave and the library does not take; null: nothing
   * @return the algorithm to use: this one, or that of a process that was faster to write
   */
  byte[] put(MatmulShape shape, byte[] algorithm, byte[] refused) {
    String key = shape.toString();
    synchronized (WITHIN_PROCESS) {
      try (FileChannel channel =
              FileChannel.open(
                  file,
                  StandardOpenOption.CREATE,
                  StandardOpenOption.READ,
                  StandardOpenOption.WRITE);
          var lock = channel.lock()) {
        if (channel.size() > MOST_BYTES) {
          channel.truncate(0);
        }
        String text = content(channel);
        read(text);
        byte[] others = known.get(key);
        if (others != null && !Arrays.equals(others, refused)) {
          return others;
        }
        String line = key + "\t" + HEX.formatHex(algorithm) + "\n";
        String separator = text.isEmpty() || text.endsWith("\n") ? "" : "\n";
        channel.write(
            ByteBuffer.wrap((separator + line).getBytes(StandardCharsets.ISO_8859_1)),
            channel.size());
      } catch (IOException e) {
        giveUp(e);
      }
    }
    known.put(key, algorithm);
    return algorithm;
  }

  private static String content(FileChannel channel) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(channel.size()));
    while (bytes.hasRemaining() && channel.read(bytes, bytes.position()) >= 0) {
      // Until all is read.
    }
    return new String(bytes.array(), 0, bytes.position(), StandardCharsets.ISO_8859_1);
  }

  /** Later lines count; what is no line of ours is passed over, and its product timed again. */
  private void read(String text) {
    text.lines()
        .map(line -> line.split("\t"))
        .filter(parts -> parts.length == 2 && parts[1].length() == 2 * CublasLt.ALGORITHM_BYTES)
        .filter(parts -> parts[1].matches("[0-9a-f]+"))
        .forEach(parts -> known.put(parts[0], HEX.parseHex(parts[1])));
  }

  private void giveUp(IOException e) {
    keeps = false;
    LOG.log(
        System.Logger.Level.WARNING,
        "algorithms of matrix products cannot be kept in {0} and are no longer timed: {1}",
        file,
        e.toString());
  }
}
