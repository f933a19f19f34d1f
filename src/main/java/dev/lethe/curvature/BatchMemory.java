package dev.lethe.curvature;

import dev.lethe.MemoryException;
import dev.lethe.Text;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import java.util.List;
import java.util.function.Supplier;

/** Says which batch memory ran out at, and which size of batch to try next. */
final class BatchMemory {
  private BatchMemory() {}

  /** The work's result; where memory ran out, the error is told what it was at work on. */
  static <T> T named(List<Sample> members, Supplier<T> work) {
    try {
      return work.get();
    } catch (MemoryException | OutOfMemoryError e) {
      throw new MemoryException(e.getMessage() + "; " + advice(members), e);
    }
  }

  private static String advice(List<Sample> members) {
    long tokens = Batches.tokens(members);
    if (members.size() == 1) {
      return Text.format(
          "sample '%s' alone has %,d tokens, and no batch is smaller: leave it out, or refuse"
              + " such with --max-length",
          members.getFirst().id(), tokens);
    }
    return Text.format(
        "a batch of %d samples with %,d tokens was in work, and half of that takes half the"
            + " memory: --batch-tokens %d",
        members.size(), tokens, Math.max(1, tokens / 2));
  }
}
