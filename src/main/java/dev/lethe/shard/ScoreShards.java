package dev.lethe.shard;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Puts the score lines of shards together, a query at a time. */
final class ScoreShards implements AutoCloseable {
  private final List<Reader> readers = new ArrayList<>();

  private ScoreShards(List<Path> files) throws IOException {
    for (Path file : files) {
      readers.add(new Reader(file));
    }
  }

  /** What a file of scores says of itself. */
  static ShardHeader header(Path file) {
    try (BufferedReader lines = Files.newBufferedReader(file)) {
      String line = lines.readLine();
      JsonFields json = line == null ? null : fields(line, file, 1).objectOrNull(ShardHeader.NAME);
      if (json == null) {
        throw ShardHeader.noShard(file, "no field " + ShardHeader.NAME + " in the first line");
      }
      Map<String, String> map = new TreeMap<>();
      json.node().properties().forEach(each -> map.put(each.getKey(), json.string(each.getKey(), each.getValue())));
      return ShardHeader.of(map, file);
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
  }

  /** Writes the lines of all queries with the scores of all rows. */
  static void merge(List<Path> files, ShardHeader header, Path out) {
    int queries = header.number("queries", out);
    int rows = header.number("rows", out);
    try (ScoreShards shards = new ScoreShards(files)) {
      AtomicFiles.write(
          out,
          channel -> {
            for (int place = 0; place < queries; place++) {
              ByteBuffer line =
                  StandardCharsets.UTF_8.encode(StrictJson.line(shards.query(place, rows, out)) + "\n");
              while (line.hasRemaining()) {
                channel.write(line);
              }
            }
            shards.requireEnd(queries);
          });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private ObjectNode query(int place, int rows, Path out) {
    List<Line> lines = new ArrayList<>();
    for (Reader reader : readers) {
      while (reader.next != null && reader.next.place == place) {
        lines.add(reader.next);
        reader.advance();
      }
    }
    lines.sort(Comparator.comparingInt(Line::first));
    int at = 0;
    ObjectNode all = null;
    for (Line line : lines) {
      if (line.first != at || !line.sameSolve(lines.getFirst())) {
        throw incomplete(place, rows, lines, out);
      }
      at += line.scores().size();
      all = all == null ? ScoreLines.empty(line.query(), line.residual()) : all;
      line.json.get(ScoreLines.IDS).forEach(((ArrayNode) all.get(ScoreLines.IDS))::add);
      ArrayNode scores = (ArrayNode) all.get(ScoreLines.SCORES);
      line.scores().forEach(score -> scores.add(score.doubleValue()));
    }
    if (at != rows) {
      throw incomplete(place, rows, lines, out);
    }
    return all;
  }

  private static FormatException incomplete(int place, int rows, List<Line> lines, Path out) {
    List<String> there =
        lines.stream().map(l -> Text.format("%d from row %d", l.scores().size(), l.first)).toList();
    return new FormatException(
        Kind.SIZE_MISMATCH, out.toString(), "the shards do not hold each score of query " + place + " once",
        Text.format("scores of %d rows of one solve", rows), there.toString(), "Make the shards again");
  }

  private void requireEnd(int queries) {
    for (Reader reader : readers) {
      if (reader.next != null) {
        throw ShardHeader.noShard(
            reader.file, Text.format("query %d of %d, out of order", reader.next.place, queries));
      }
    }
  }

  @Override
  public void close() throws IOException {
    for (Reader reader : readers) {
      reader.lines.close();
    }
  }

  private static JsonFields fields(String line, Path file, int number) {
    String where = Text.format("%s, line %d", file, number);
    if (StrictJson.parse(line, where) instanceof ObjectNode object) {
      return new JsonFields(object, where);
    }
    throw ShardHeader.noShard(file, "line " + number + " is no JSON object");
  }

  /** A line of a shard. */
  private record Line(ObjectNode json, int place, int first) {
    ArrayNode scores() {
      return (ArrayNode) json.get(ScoreLines.SCORES);
    }

    String query() {
      return json.get(ScoreLines.QUERY).asString();
    }

    double residual() {
      return json.get(ScoreLines.RESIDUAL).doubleValue();
    }

    boolean sameSolve(Line other) {
      return query().equals(other.query()) && residual() == other.residual();
    }
  }

  /** A file, and the line that comes next. */
  private static final class Reader {
    private final Path file;
    private final BufferedReader lines;
    private int number = 1;
    private Line next;

    Reader(Path file) throws IOException {
      this.file = file;
      this.lines = Files.newBufferedReader(file);
      lines.readLine();
      advance();
    }

    private void advance() {
      try {
        String line = lines.readLine();
        number++;
        next = line == null ? null : parse(fields(line, file, number));
      } catch (IOException e) {
        throw StrictJson.unreadable(file, e);
      }
    }

    private Line parse(JsonFields f) {
      if (!(f.required(ScoreLines.IDS) instanceof ArrayNode ids)
          || !(f.required(ScoreLines.SCORES) instanceof ArrayNode scores)
          || ids.size() != scores.size()
          || !scores.valueStream().allMatch(JsonNode::isNumber)) {
        throw ShardHeader.noShard(file, "no id for each score in line " + number);
      }
      f.numberOr(ScoreLines.RESIDUAL, Double.NaN, 0, Double.MAX_VALUE);
      f.required(ScoreLines.QUERY);
      f.required(ScoreLines.RESIDUAL);
      return new Line(
          f.node(),
          (int) f.integer(ScoreLines.PLACE, 0, Integer.MAX_VALUE),
          (int) f.integer(ScoreLines.FIRST, 0, Integer.MAX_VALUE));
    }
  }
}
