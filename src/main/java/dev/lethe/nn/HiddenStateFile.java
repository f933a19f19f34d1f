package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.zip.CRC32C;
import tools.jackson.databind.node.ObjectNode;

/**
 * Hidden states in a folder: {@code states.json} says of which model, layer and device, {@code states.bin}
 * holds one record a row: the 32 bytes of its key, the bytes of its states as an int, CRC-32C of key and
 * states, the states. What a killed process left unfinished at the end is overwritten.
 */
final class HiddenStateFile implements HiddenStateStore {
  private static final int KEY = 32;
  private static final int HEADER = KEY + 2 * Integer.BYTES;
  private static final long MAX_IDENTITY = 1 << 16;

  private final Path file;
  private final RandomAccessFile records;
  private final DType type;
  private final long budget;
  private final Map<String, Long> places = new HashMap<>();
  private long end;

  private HiddenStateFile(Path file, DType type, long budget) throws IOException {
    this.file = file;
    this.type = type;
    this.budget = budget;
    this.records = new RandomAccessFile(file.toFile(), "rw");
    ByteBuffer header = ByteBuffer.allocate(HEADER);
    while (readFully(header.clear(), end)) {
      long next = end + HEADER + header.getInt(KEY);
      if (header.getInt(KEY) < 0 || next > records.length()) {
        return;
      }
      places.put(HexFormat.of().formatHex(header.array(), 0, KEY), end);
      end = next;
    }
  }

  /**
   * Opens the folder, which is made where there is none.
   *
   * @param identity what the states depend on besides a row's tokens
   */
  static HiddenStateFile open(
      Path folder, Map<String, String> identity, DType type, long budget) {
    try {
      Files.createDirectories(folder);
      Path states = folder.resolve("states.json");
      ObjectNode wanted = StrictJson.newObject().put("format", "lethe-hidden-states/1");
      identity.forEach(wanted::put);
      if (Files.exists(states)) {
        requireSame(states, wanted);
      } else {
        AtomicFiles.writeText(states, StrictJson.write(wanted));
      }
      return new HiddenStateFile(folder.resolve("states.bin"), type, budget);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void requireSame(Path states, ObjectNode wanted) {
    ObjectNode found = StrictJson.readObject(states, MAX_IDENTITY);
    for (String name : wanted.propertyNames()) {
      if (!wanted.get(name).equals(found.get(name))) {
        throw new LetheException(
            states.toString(), "these hidden states do not belong here: their " + name + " differs",
            wanted.get(name).toString(), String.valueOf(found.get(name)),
            "Name another folder, or delete this one.");
      }
    }
  }

  @Override
  public boolean read(String key, Tensor target) {
    Long place = places.get(key);
    if (place == null) {
      return false;
    }
    try {
      ByteBuffer header = ByteBuffer.allocate(HEADER);
      boolean whole =
          readFully(header, place)
              && header.getInt(KEY) == target.byteSize()
              && readFully(target.segment().asByteBuffer(), place + HEADER)
              && header.getInt(KEY + Integer.BYTES) == checksum(key, target);
      if (!whole) {
        throw new LetheException(
            file.toString(), "hidden states of a row are damaged",
            Text.format("%,d bytes with their checksum at %,d", target.byteSize(), place),
            "other bytes", "Delete the folder; states are computed again.");
      }
      return true;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void write(String key, Tensor states) {
    if (end + HEADER + states.byteSize() > budget) {
      return;
    }
    ByteBuffer header = ByteBuffer.allocate(HEADER);
    header.put(HexFormat.of().parseHex(key));
    header.putInt(Math.toIntExact(states.byteSize()));
    header.putInt(checksum(key, states));
    try {
      writeFully(states.segment().asByteBuffer(), end + HEADER);
      writeFully(header.flip(), end);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    places.put(key, end);
    end += HEADER + states.byteSize();
  }

  private static int checksum(String key, Tensor states) {
    CRC32C crc = new CRC32C();
    crc.update(HexFormat.of().parseHex(key));
    crc.update(states.segment().asByteBuffer());
    return (int) crc.getValue();
  }

  private boolean readFully(ByteBuffer target, long place) throws IOException {
    byte[] bytes = new byte[target.remaining()];
    if (place + bytes.length > records.length()) {
      return false;
    }
    records.seek(place);
    records.readFully(bytes);
    target.put(bytes);
    return true;
  }

  private void writeFully(ByteBuffer source, long place) throws IOException {
    byte[] bytes = new byte[source.remaining()];
    source.get(bytes);
    records.seek(place);
    records.write(bytes);
  }

  @Override
  public DType type() {
    return type;
  }

  @Override
  public int rows() {
    return places.size();
  }

  @Override
  public long bytes() {
    return end;
  }

  @Override
  public long budget() {
    return budget;
  }

  @Override
  public void close() {
    try {
      records.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
