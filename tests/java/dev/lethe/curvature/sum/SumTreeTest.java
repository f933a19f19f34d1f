package dev.lethe.curvature.sum;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lethe.ArgumentException;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Every way to share out the terms gives the same sum in the same order. */
class SumTreeTest {
  private static final int MOST_TERMS = 70;

  /** The order as text: which terms are added in which brackets. */
  private static String brackets(int terms) {
    SumTree<String> tree = new SumTree<>((a, b) -> "(" + a + "+" + b + ")");
    for (int i = 0; i < terms; i++) {
      tree.push(SumNode.leaf(i), "" + i);
    }
    return tree.takeRoot();
  }

  @Test
  void theOrderIsABinaryTree() {
    assertNull(brackets(0));
    assertEquals("0", brackets(1));
    assertEquals("((0+1)+2)", brackets(3));
    assertEquals("(((0+1)+(2+3))+((4+5)+6))", brackets(7));
    assertEquals("((((0+1)+(2+3))+((4+5)+(6+7)))+8)", brackets(9));
  }

  @Test
  void anyPartsOfAnyNumberOfTermsGiveTheSameOrder() {
    for (int terms = 1; terms <= MOST_TERMS; terms++) {
      for (int parts = 1; parts <= terms + 3; parts++) {
        SumTree<String> whole = new SumTree<>((a, b) -> "(" + a + "+" + b + ")");
        int nodes = 0;
        for (int part = 0; part < parts; part++) {
          BlockRange range = BlockRange.part(part, parts, terms);
          SumTree<String> own = new SumTree<>((a, b) -> "(" + a + "+" + b + ")");
          for (int i = range.first(); i < range.end(); i++) {
            own.push(SumNode.leaf(i), "" + i);
          }
          for (SumTree.Entry<String> node : own.takeNodes()) {
            assertEquals(node.node(), SumNode.of(node.node().label()));
            whole.push(node.node(), node.sum());
            nodes++;
          }
        }
        assertEquals(brackets(terms), whole.takeRoot(), terms + " terms in " + parts + " parts");
        int mostOfAPart = 2 * (32 - Integer.numberOfLeadingZeros(terms));
        assertEquals(true, nodes <= parts * mostOfAPart, "few nodes: " + nodes);
      }
    }
  }

  @Test
  void partsInHostMemoryAddUpAsOneSum() {
    SplittableRandom random = new SplittableRandom(3);
    float[] terms = new float[37];
    for (int i = 0; i < terms.length; i++) {
      terms[i] = (float) (random.nextDouble() * Math.pow(10, random.nextInt(-6, 6)));
    }
    SumTree<Float> expected = new SumTree<>((a, b) -> a + b);
    List<PartialSum> parts = new ArrayList<>();
    for (int i = 0; i < terms.length; i++) {
      expected.push(SumNode.leaf(i), terms[i]);
      parts.add(new PartialSum(SumNode.leaf(i), Tensor.of(Shape.of(1), terms[i])));
    }
    assertEquals((double) expected.takeRoot(), PartialSum.total(parts).get(0));
  }

  @Test
  void aGapIsRefused() {
    SumTree<String> tree = new SumTree<>(String::concat);
    tree.push(SumNode.leaf(4), "4");
    assertThrows(ArgumentException.class, () -> tree.push(SumNode.leaf(6), "6"));
    assertThrows(ArgumentException.class, () -> tree.push(SumNode.leaf(4), "4"));
  }

  @Test
  void labelsOfNoNodeAreNull() {
    for (String label : List.of("", "1", "31.0", "30.7", "0.9999999999", "-1.0", "0.-1", "0.1.2")) {
      assertNull(SumNode.of(label), label);
    }
  }
}
