package dev.lethe.shard;

import dev.lethe.LetheException;
import dev.lethe.curvature.sum.BlockRange;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One of several equal parts of the work.
 *
 * @param index from 0
 * @param count how many parts there are
 */
public record Shard(int index, int count) {
  /** All of the work. */
  public static final Shard WHOLE = new Shard(0, 1);

  private static final int MOST = 1_000_000;
  private static final Pattern FORM = Pattern.compile("(\\d{1,7})/(\\d{1,7})");

  public Shard {
    if (index < 0 || index >= count || count > MOST) {
      throw new LetheException(
          "shard", "there is no such part", "i/n with i from 0 to n-1, n at most " + MOST, index + "/" + count,
          "Count from 0, as job arrays do: 0/4, 1/4, 2/4, 3/4.");
    }
  }

  /** As in {@code 2/4}, the third of four. */
  public static Shard of(String text) {
    Matcher m = FORM.matcher(text);
    if (!m.matches()) {
      throw new LetheException(
          "shard", "is not of the form i/n", "as in 0/4", text,
          "Count from 0, as job arrays do: 0/4, 1/4, 2/4, 3/4.");
    }
    return new Shard(Integer.parseInt(m.group(1)), Integer.parseInt(m.group(2)));
  }

  /** Its part of so many blocks, or of other units that are not divided. */
  public BlockRange of(int units) {
    return BlockRange.part(index, count, units);
  }

  @Override
  public String toString() {
    return index + "/" + count;
  }
}
