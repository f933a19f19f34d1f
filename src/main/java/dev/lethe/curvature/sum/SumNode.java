package dev.lethe.curvature.sum;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A node of the binary tree in which terms 0, 1, 2 … are added: the sum of terms {@code index·2^level} up to, but
 * without, {@code (index + 1)·2^level}, as far as there are so many.
 *
 * @param level 0 for a term itself
 * @param index its place among the nodes of its level
 */
public record SumNode(int level, int index) {
  private static final int MOST_LEVELS = 30;
  private static final Pattern LABEL = Pattern.compile("(\\d{1,2})\\.(\\d{1,10})");

  public SumNode {
    if (level < 0 || level > MOST_LEVELS || index < 0 || (index + 1L) << level > Integer.MAX_VALUE) {
      throw new ArgumentException(Text.format("node %d of level %d", index, level));
    }
  }

  /** A term. */
  public static SumNode leaf(int term) {
    return new SumNode(0, term);
  }

  /** The node that {@link #label} names; null where it names none. */
  public static SumNode of(String label) {
    Matcher m = LABEL.matcher(label);
    if (!m.matches()) {
      return null;
    }
    try {
      return new SumNode(Integer.parseInt(m.group(1)), Integer.parseInt(m.group(2)));
    } catch (ArgumentException | NumberFormatException noNode) {
      return null;
    }
  }

  /** Its first term. */
  public int first() {
    return index << level;
  }

  /** The term behind its last, where there are so many. */
  public int end() {
    return (index + 1) << level;
  }

  /** Whether this node and the next are all that their parent adds. */
  boolean isLeftOf(SumNode next) {
    return level == next.level && index % 2 == 0 && next.index == index + 1;
  }

  SumNode parent() {
    return new SumNode(level + 1, index / 2);
  }

  /** Its name in files, {@code level.index}. */
  public String label() {
    return level + "." + index;
  }
}
