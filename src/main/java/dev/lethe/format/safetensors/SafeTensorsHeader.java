package dev.lethe.format.safetensors;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/**
 * The header of a safetensors file, validated: known formats, bounded ranks, sizes that do not
 * overflow, byte ranges that are contiguous and cover the file exactly. Nothing is allocated beyond
 * what the header's own text pays for.
 *
 * @param entries the tensors by name, in the order in which their bytes lie in the file
 * @param metadata the free-form strings of {@code __metadata__}
 */
record SafeTensorsHeader(Map<String, Entry> entries, Map<String, String> metadata) {
  static final long MAX_BYTES = 100_000_000;
  static final int MAX_TENSORS = 100_000;
  static final int MAX_RANK = 8;
  static final String METADATA = "__metadata__";
  private static final Map<String, DType> DTYPES = dtypes();

  /** One tensor: its bytes are {@code begin … end-1} of the data section. */
  record Entry(DType dtype, Shape shape, long begin, long end) {}

  /**
   * Parses and validates.
   *
   * @param json the header's text
   * @param dataBytes the bytes of the file after the header
   */
  static SafeTensorsHeader parse(String json, long dataBytes, Place where) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    try (JsonParser parser = StrictJson.parser(json)) {
      require(parser, parser.nextToken(), JsonToken.START_OBJECT, where, "the header");
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        String name = parser.currentName();
        parser.nextToken();
        if (name.equals(METADATA)) {
          readMetadata(parser, metadata, where);
        } else {
          entries.put(name, readEntry(parser, name, where));
        }
        refuseTooMany(entries.size(), where);
      }
      if (parser.nextToken() != null) {
        throw where.refuse(
            Kind.JSON_SYNTAX, "the header holds more than one JSON value", "one object",
            "another value after it");
      }
    } catch (JacksonException e) {
      throw StrictJson.syntax(e, where + " (header)");
    }
    return new SafeTensorsHeader(inFileOrder(entries, dataBytes, where), metadata);
  }

  private static void readMetadata(JsonParser parser, Map<String, String> into, Place where) {
    require(parser, parser.currentToken(), JsonToken.START_OBJECT, where, METADATA);
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String key = parser.currentName();
      String what = METADATA + " entry " + Text.quote(key);
      require(parser, parser.nextToken(), JsonToken.VALUE_STRING, where, what);
      into.put(key, parser.getString());
    }
  }

  private static String tensor(String name) {
    return "tensor " + Text.quote(name);
  }

  private static Entry readEntry(JsonParser parser, String name, Place where) {
    Place place = where.in(tensor(name));
    require(parser, parser.currentToken(), JsonToken.START_OBJECT, place, "the entry");
    DType dtype = null;
    long[] dims = null;
    long[] offsets = null;
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String field = parser.currentName();
      JsonToken token = parser.nextToken();
      switch (field) {
        case "dtype" -> {
          require(parser, token, JsonToken.VALUE_STRING, place, "dtype");
          dtype = dtype(parser.getString(), place);
        }
        case "shape" -> dims = longs(parser, place, "shape", MAX_RANK, Kind.RANK);
        case "data_offsets" -> offsets = longs(parser, place, "data_offsets", 2, Kind.BAD_OFFSETS);
        default -> parser.skipChildren();
      }
    }
    requirePresent(dtype, "dtype", place);
    requirePresent(dims, "shape", place);
    requirePresent(offsets, "data_offsets", place);
    return entry(dtype, dims, offsets, place);
  }

  private static Entry entry(DType dtype, long[] dims, long[] offsets, Place place) {
    if (offsets.length != 2 || offsets[0] > offsets[1]) {
      throw place.refuse(
          Kind.BAD_OFFSETS, "data_offsets are no byte range", "[begin, end], begin ≤ end",
          Arrays.toString(offsets));
    }
    long bytes;
    Shape shape;
    try {
      shape = Shape.of(dims);
      bytes = Math.multiplyExact(shape.elements(), dtype.bytes());
    } catch (ArithmeticException | ArgumentException e) {
      throw place.refuse(Kind.OVERFLOW, "the size leaves 64 bits", null, Arrays.toString(dims), e);
    }
    if (bytes != offsets[1] - offsets[0]) {
      throw place.refuse(
          Kind.SIZE_MISMATCH, "data_offsets do not fit " + dtype + shape, bytes + " bytes",
          (offsets[1] - offsets[0]) + " bytes");
    }
    return new Entry(dtype, shape, offsets[0], offsets[1]);
  }

  /** Orders by place in the file and proves that the ranges tile the data section. */
  private static Map<String, Entry> inFileOrder(
      Map<String, Entry> entries, long dataBytes, Place where) {
    List<Map.Entry<String, Entry>> sorted = new ArrayList<>(entries.entrySet());
    sorted.sort(
        Comparator.comparingLong((Map.Entry<String, Entry> e) -> e.getValue().begin())
            .thenComparingLong(e -> e.getValue().end()));
    Map<String, Entry> ordered = LinkedHashMap.newLinkedHashMap(sorted.size());
    long at = 0;
    for (Map.Entry<String, Entry> named : sorted) {
      Entry entry = named.getValue();
      if (entry.begin() != at) {
        throw where.in(tensor(named.getKey())).refuse(
            Kind.NOT_CONTIGUOUS,
            entry.begin() < at ? "it overlaps another tensor" : "there is a hole before it",
            "first byte " + at, "first byte " + entry.begin());
      }
      if (entry.end() > dataBytes) {
        throw where.in(tensor(named.getKey())).refuse(
            Kind.TRUNCATED, "the file ends before the tensor does", entry.end() + " bytes of data",
            dataBytes + " bytes");
      }
      at = entry.end();
      ordered.put(named.getKey(), entry);
    }
    if (at != dataBytes) {
      throw where.refuse(
          Kind.TRAILING_BYTES, "bytes after the last tensor", at + " bytes of data", dataBytes + " bytes");
    }
    return ordered;
  }

  private static long[] longs(
      JsonParser parser, Place place, String field, int most, Kind tooMany) {
    require(parser, parser.currentToken(), JsonToken.START_ARRAY, place, field);
    long[] values = new long[most];
    int count = 0;
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (count == most) {
        throw place.refuse(tooMany, field + " has too many entries", "at most " + most, "more");
      }
      values[count++] = size(parser, place, field);
    }
    return Arrays.copyOf(values, count);
  }

  private static long size(JsonParser parser, Place place, String field) {
    boolean integer = parser.currentToken() == JsonToken.VALUE_NUMBER_INT;
    if (integer && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
      long value = parser.getLongValue();
      if (value >= 0) {
        return value;
      }
    }
    throw place.refuse(
        integer ? Kind.OUT_OF_RANGE : Kind.WRONG_TYPE, field + " holds no size", "integers of 0 … 2^63-1",
        Text.quote(parser.getString()));
  }

  private static DType dtype(String name, Place place) {
    DType dtype = DTYPES.get(name);
    if (dtype == null) {
      throw place.refuse(
          Kind.UNKNOWN_DTYPE, "this number format is not supported",
          "one of " + DTYPES.keySet(), Text.quote(name));
    }
    return dtype;
  }

  private static void require(
      JsonParser parser, JsonToken got, JsonToken wanted, Place place, String what) {
    if (got != wanted) {
      String text = got == null ? "nothing" : Text.quote(String.valueOf(parser.getString()));
      throw place.refuse(
          Kind.WRONG_TYPE, what + " is of the wrong JSON type",
          wanted.name().toLowerCase(Locale.ROOT).replace('_', ' '), text);
    }
  }

  private static void requirePresent(Object value, String field, Place place) {
    if (value == null) {
      throw place.refuse(Kind.MISSING_FIELD, "a field is missing", "'" + field + "'", null);
    }
  }

  private static void refuseTooMany(int count, Place where) {
    if (count > MAX_TENSORS) {
      throw where.refuse(Kind.TOO_MANY, "too many tensors", "at most " + MAX_TENSORS, "more");
    }
  }

  private static Map<String, DType> dtypes() {
    Map<String, DType> names = new LinkedHashMap<>();
    for (DType dtype : DType.values()) {
      if (!dtype.isBlocks()) {
        names.put(dtype.name(), dtype);
      }
    }
    return Collections.unmodifiableMap(names);
  }
}
