package dev.lethe.format.gguf;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The header of a GGUF file of version 2 or 3, validated: known types, bounded ranks, sizes that do not overflow,
 * aligned tensors that neither overlap nor leave more than their padding between them, names that are there once.
 *
 * @param metadata values by key, in the order of the file: Long, Double, Boolean, String, or List of these
 * @param tensors by name, in the order in which their bytes lie in the file
 */
record GgufHeader(Map<String, Object> metadata, Map<String, Entry> tensors) {
  static final int MAGIC = 0x46554747;
  static final int VERSION = 3;
  static final int DEFAULT_ALIGNMENT = 32;
  static final String ALIGNMENT = "general.alignment";
  private static final int MAX_RANK = 4;
  private static final int MAX_ALIGNMENT = 1 << 20;
  private static final int LEAST_KEY = 13;
  private static final int LEAST_TENSOR = 24;

  /**
   * One tensor.
   *
   * @param begin its first byte in the file
   */
  record Entry(DType dtype, Shape shape, long begin) {
    long bytes() {
      return dtype.byteSize(shape.elements());
    }
  }

  /** Parses and validates a whole file. */
  static GgufHeader parse(MemorySegment file, Place where) {
    GgufReader in = new GgufReader(file, where);
    if (in.int32() != MAGIC) {
      throw where.refuse(Kind.WRONG_TYPE, "this is no GGUF file", "the letters GGUF first", null);
    }
    int version = in.int32();
    if (version != 2 && version != VERSION) {
      boolean bigEndian = Integer.reverseBytes(version) > 0 && Integer.reverseBytes(version) <= VERSION;
      throw unsupported(
          where,
          "this version of GGUF is not read",
          "2 or 3, little-endian",
          bigEndian ? "a big-endian file" : Integer.toUnsignedString(version),
          "Convert the model again with a current llama.cpp");
    }
    int count = in.count("tensors", LEAST_TENSOR);
    int keys = in.count("metadata", LEAST_KEY);
    Map<String, Object> metadata = new LinkedHashMap<>();
    for (int i = 0; i < keys; i++) {
      String key = in.string("a key of the metadata");
      if (metadata.put(key, in.value(key)) != null) {
        throw where.refuse(Kind.DUPLICATE_KEY, "metadata " + Text.quote(key) + " is there twice", "once", null);
      }
    }
    int alignment = alignment(metadata, where);
    List<Found> found = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      found.add(tensor(in, where));
    }
    long data = aligned(in.position(), alignment);
    return new GgufHeader(metadata, inFileOrder(found, data, alignment, file.byteSize(), where));
  }

  /** The next multiple of the alignment. */
  static long aligned(long at, int alignment) {
    return Math.ceilDiv(at, alignment) * alignment;
  }

  private static int alignment(Map<String, Object> metadata, Place where) {
    Object given = metadata.getOrDefault(ALIGNMENT, (long) DEFAULT_ALIGNMENT);
    if (!(given instanceof Long value) || value < 8 || value > MAX_ALIGNMENT || value % 8 != 0) {
      throw where.in("metadata '" + ALIGNMENT + "'").refuse(
          Kind.OUT_OF_RANGE, "it is no alignment", "a multiple of 8 up to " + MAX_ALIGNMENT,
          Text.shorten(String.valueOf(given), 40));
    }
    return value.intValue();
  }

  private record Found(String name, Entry entry) {}

  private static Found tensor(GgufReader in, Place where) {
    String name = in.string("a tensor's name");
    Place place = where.in("tensor " + Text.quote(name));
    int rank = in.int32();
    if (rank < 1 || rank > MAX_RANK) {
      throw place.refuse(
          Kind.RANK, "too many dimensions", "1 to " + MAX_RANK, Integer.toUnsignedString(rank));
    }
    long[] dims = new long[rank];
    for (int axis = rank - 1; axis >= 0; axis--) {
      dims[axis] = in.int64();
      if (dims[axis] < 0) {
        throw place.refuse(
            Kind.OVERFLOW, "the size leaves 63 bits", null, Long.toUnsignedString(dims[axis]));
      }
    }
    int number = in.int32();
    DType dtype =
        GgufType.of(number)
            .map(GgufType::dtype)
            .orElseThrow(
                () ->
                    new FormatException(
                        Kind.UNKNOWN_DTYPE,
                        place.where(),
                        "this type of tensor is not read",
                        Stream.of(GgufType.values()).map(Enum::name).collect(Collectors.joining(", ")),
                        GgufType.name(number),
                        "Quantize the model to one of these, as with llama-quantize"));
    try {
      Shape shape = Shape.of(dims);
      if (dtype.isBlocks() && shape.dim(-1) % dtype.blocks().elements() != 0) {
        throw place.refuse(
            Kind.SIZE_MISMATCH, "a row of " + dtype + " has whole blocks",
            "a multiple of " + dtype.blocks().elements(), String.valueOf(shape.dim(-1)));
      }
      dtype.byteSize(shape.elements());
      return new Found(name, new Entry(dtype, shape, in.int64()));
    } catch (ArithmeticException | ArgumentException e) {
      throw place.refuse(Kind.OVERFLOW, "the size leaves 64 bits", null, Arrays.toString(dims), e);
    }
  }

  /** Orders by place in the file and proves that tensors follow one another up to their padding. */
  private static Map<String, Entry> inFileOrder(
      List<Found> found, long data, int alignment, long fileBytes, Place where) {
    found.sort(Comparator.comparingLong(f -> f.entry.begin));
    Map<String, Entry> ordered = LinkedHashMap.newLinkedHashMap(found.size());
    long end = 0;
    for (Found one : found) {
      Place place = where.in("tensor " + Text.quote(one.name));
      Entry entry = one.entry;
      if (entry.begin != aligned(end, alignment)) {
        throw place.refuse(
            Kind.NOT_CONTIGUOUS,
            entry.begin >= 0 && entry.begin < end ? "it overlaps another tensor" : "it does not follow the tensor before it",
            "first byte " + aligned(end, alignment), "first byte " + Long.toUnsignedString(entry.begin));
      }
      if (fileBytes - data < 0 || entry.bytes() > fileBytes - data - entry.begin) {
        throw place.refuse(
            Kind.TRUNCATED, "the file ends before the tensor does",
            (entry.begin + entry.bytes()) + " bytes of data", (fileBytes - data) + " bytes");
      }
      end = entry.begin + entry.bytes();
      if (ordered.put(one.name, new Entry(entry.dtype, entry.shape, data + entry.begin)) != null) {
        throw place.refuse(Kind.DUPLICATE_KEY, "there are two tensors of this name", "one", null);
      }
    }
    if (!found.isEmpty() && fileBytes > data + aligned(end, alignment)) {
      throw where.refuse(
          Kind.TRAILING_BYTES, "bytes after the last tensor", data + aligned(end, alignment) + " bytes", fileBytes + " bytes");
    }
    return ordered;
  }

  static FormatException unsupported(
      Place where, String problem, String expected, String got, String remedy) {
    return new FormatException(Kind.UNSUPPORTED, where.where(), problem, expected, got, remedy);
  }
}
