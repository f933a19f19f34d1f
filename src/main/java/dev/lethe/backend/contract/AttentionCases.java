package dev.lethe.backend.contract;

import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import java.util.ArrayList;
import java.util.List;

/** The heads and packings that the attention contracts go through. */
final class AttentionCases {
  private static final int[][] HEADS = {{1, 1}, {2, 1}, {4, 2}, {8, 4}, {3, 3}};
  private static final int[] HEAD_SIZES = {2, 8, 16, 48, 64};
  private static final int[] WINDOWS = {0, 0, 1, 3, 16};

  private AttentionCases() {}

  /** Every head size with every grouping; windows go round. */
  static List<AttentionShape> shapes() {
    List<AttentionShape> shapes = new ArrayList<>();
    for (int i = 0; i < HEADS.length; i++) {
      for (int j = 0; j < HEAD_SIZES.length; j++) {
        int window = WINDOWS[(i + j) % WINDOWS.length];
        shapes.add(new AttentionShape(HEADS[i][0], HEADS[i][1], HEAD_SIZES[j], window));
      }
    }
    shapes.add(new AttentionShape(2, 1, 32, 40));
    shapes.add(new AttentionShape(3, 3, 32, 0));
    shapes.add(new AttentionShape(4, 2, 128, 0));
    shapes.add(new AttentionShape(2, 1, 128, 70));
    return shapes;
  }

  static List<Packing> packings() {
    return List.of(
        Packing.ofLengths(1),
        Packing.ofLengths(1, 1, 1),
        Packing.ofLengths(3, 0, 2),
        Packing.ofLengths(5, 1, 7),
        Packing.ofLengths(17, 31),
        Packing.ofLengths(65),
        Packing.ofLengths(100, 1, 33));
  }
}
