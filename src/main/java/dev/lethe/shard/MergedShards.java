package dev.lethe.shard;

import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.shard.ShardSet.Member;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Makes of all shards of a computation what one process would have written. */
public final class MergedShards {
  private MergedShards() {}

  /**
   * Merges.
   *
   * @param shards files or folders, in any order, at least one
   * @param out must not exist
   * @return what the shards held
   * @throws dev.lethe.LetheException where one is missing, there twice, or of another computation; it is named
   */
  public static ShardHeader merge(List<Path> shards, Path out) {
    List<Member> sorted =
        ShardSet.sorted(shards.stream().map(file -> new Member(file, header(file))).toList());
    List<Path> files = sorted.stream().map(Member::file).toList();
    ShardHeader header = sorted.getFirst().header();
    switch (header.content()) {
      case OPERATORS -> OperatorShards.merge(files, out);
      case SCORES -> ScoreShards.merge(files, header, out);
      case SUM, ROWS -> mergeTensors(files, header, out);
    }
    return header;
  }

  private static void mergeTensors(List<Path> files, ShardHeader header, Path out) {
    List<SafeTensors> open = new ArrayList<>();
    try {
      files.forEach(file -> open.add(SafeTensors.open(file)));
      if (header.content() == ShardHeader.Content.SUM) {
        TensorShards.mergeSums(open, header, out);
      } else {
        TensorShards.mergeRows(open, header, out);
      }
    } finally {
      open.forEach(SafeTensors::close);
    }
  }

  private static ShardHeader header(Path file) {
    if (OperatorShards.isOne(file)) {
      return OperatorShards.header(file);
    }
    if (beginsWithBrace(file)) {
      return ScoreShards.header(file);
    }
    try (SafeTensors tensors = SafeTensors.open(file)) {
      return ShardHeader.of(tensors.metadata(), file);
    }
  }

  private static boolean beginsWithBrace(Path file) {
    if (!Files.exists(file)) {
      return false;
    }
    try (InputStream in = Files.newInputStream(file)) {
      return in.read() == '{';
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
  }
}
