package dev.lethe.curvature.sum;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.function.BinaryOperator;

/**
 * Adds consecutive nodes as they come: two that are all of their parent become it at once. So it holds few at a time,
 * and the same terms are added in the same order however they were shared out.
 */
public final class SumTree<T> {
  private final BinaryOperator<T> add;
  private final Deque<Entry<T>> top = new ArrayDeque<>();

  /**
   * A node and its sum.
   *
   * @param node which terms
   * @param sum of them
   */
  public record Entry<T>(SumNode node, T sum) {}

  /**
   * @param add gives the sum of a left and a right part, which it may use up
   */
  public SumTree(BinaryOperator<T> add) {
    this.add = add;
  }

  /** Takes the next node. */
  public void push(SumNode node, T sum) {
    if (!top.isEmpty() && top.peek().node.end() != node.first()) {
      throw new ArgumentException(
          Text.format("node %s after %s", node.label(), top.peek().node.label()));
    }
    SumNode at = node;
    T total = sum;
    while (!top.isEmpty() && top.peek().node.isLeftOf(at)) {
      total = add.apply(top.pop().sum, total);
      at = at.parent();
    }
    top.push(new Entry<>(at, total));
  }

  /** The nodes that are left, in order; they are taken out. */
  public List<Entry<T>> takeNodes() {
    List<Entry<T>> nodes = new ArrayList<>();
    for (Iterator<Entry<T>> i = top.descendingIterator(); i.hasNext(); ) {
      nodes.add(i.next());
    }
    top.clear();
    return nodes;
  }

  /** The sum of all nodes, which begin at term 0; null where there are none. It is taken out. */
  public T takeRoot() {
    if (top.isEmpty()) {
      return null;
    }
    T total = top.pop().sum;
    while (!top.isEmpty()) {
      total = add.apply(top.pop().sum, total);
    }
    return total;
  }
}
