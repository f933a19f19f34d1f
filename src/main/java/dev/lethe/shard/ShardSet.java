package dev.lethe.shard;

import dev.lethe.LetheException;
import dev.lethe.Text;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Puts the shards of one computation in order, and refuses sets that are none. */
final class ShardSet {
  private ShardSet() {}

  /** A file or folder and what it says of itself. */
  record Member(Path file, ShardHeader header) {
    private int index() {
      return header.shard().index();
    }
  }

  /** Sorts the members; a foreign one, one that is there twice and a missing one are refused by name. */
  static List<Member> sorted(List<Member> members) {
    Member first = members.getFirst();
    Map<Integer, Path> seen = new HashMap<>();
    for (Member member : members) {
      requireSame(first, member);
      Path other = seen.put(member.index(), member.file);
      if (other != null) {
        throw new LetheException(
            member.file.toString(), "this shard is there twice", "each shard once",
            Text.format("%s, which %s is too", member.header.shard(), other), "Leave one of them out.");
      }
    }
    requireAll(first.header.shard().count(), seen);
    List<Member> sorted = new ArrayList<>(members);
    sorted.sort(Comparator.comparingInt(Member::index));
    return sorted;
  }

  private static void requireSame(Member first, Member member) {
    ShardHeader one = first.header;
    ShardHeader other = member.header;
    if (one.content() != other.content() || one.shard().count() != other.shard().count()) {
      throw foreign(first, member, describe(one), describe(other));
    }
    String field = one.origin().difference(other.origin());
    if (field != null) {
      throw foreign(
          first, member, field + " " + one.origin().of(field), field + " " + other.origin().of(field));
    }
    if (!one.result().equals(other.result())) {
      throw foreign(first, member, one.result().toString(), other.result().toString());
    }
  }

  private static String describe(ShardHeader header) {
    return Text.format("%s, one of %d shards", header.content(), header.shard().count());
  }

  private static LetheException foreign(Member first, Member member, String expected, String got) {
    return new LetheException(
        member.file.toString(),
        "this shard belongs to another computation than " + first.file,
        expected,
        got,
        "Make all shards with the same command, files, device and version.");
  }

  private static void requireAll(int count, Map<Integer, Path> seen) {
    String missing =
        IntStream.range(0, count)
            .filter(i -> !seen.containsKey(i))
            .limit(10)
            .mapToObj(i -> i + "/" + count)
            .collect(Collectors.joining(", "));
    if (!missing.isEmpty()) {
      throw new LetheException(
          "merge-shards", Text.format("%d of %d shards are missing", count - seen.size(), count),
          "all of them", "no " + missing, "Run the command with --shard for these, or name their files too.");
    }
  }
}
