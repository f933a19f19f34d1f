package dev.lethe.bench;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.nn.MemoryNeed;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.machine.Machine;
import java.util.Collection;

/** About how much memory a workload takes, to refuse it before anything is allocated. */
public final class WorkloadMemory {
  private WorkloadMemory() {}

  /**
   * Bytes of an operation: the frozen weights, and what its passes over the batch keep.
   *
   * @param vectors of an operation on several
   */
  static long bytes(Workload workload, Operation op, int vectors, Backend backend) {
    TransformerSpec spec = workload.spec();
    long pass = MemoryNeed.ofPass(spec, backend, (long) workload.batch() * workload.seq());
    long passes =
        switch (op) {
          case FORWARD, GRAD, PER_SAMPLE -> 1;
          case HVP, HVP_AGAIN, GGN, GGN_AGAIN -> 3;
          case HVP_BLOCK, GGN_BLOCK -> 1 + 2L * vectors;
        };
    long kept = op == Operation.FORWARD ? pass / spec.layers() : passes * pass;
    return MemoryNeed.ofWeights(spec, backend) + kept;
  }

  /**
   * Throws where an operation would not fit into what the device, or this machine for a device in its memory, has left; says
   * what it needs, what there is and which batch or depth would fit.
   */
  public static void require(
      Workload workload, Collection<Operation> operations, int vectors, Backend backend) {
    long left = backend.freeMemory().orElseGet(() -> Machine.current().availableMemory());
    for (Operation op : operations) {
      long need = bytes(workload, op, vectors, backend);
      if (need > left) {
        throw new EnvironmentException(
            "workload " + workload.name(),
            Text.format(
                "%s in %s needs about %s of memory and %s are left",
                op.label(), backend.productType(), Machine.bytes(need), Machine.bytes(left)),
            remedy(workload, op, vectors, backend, left));
      }
    }
  }

  private static String remedy(
      Workload workload, Operation op, int vectors, Backend backend, long left) {
    for (int batch = workload.batch() - 1; batch >= 1; batch--) {
      Workload smaller = workload.sized(batch, workload.seq(), workload.layers());
      if (bytes(smaller, op, vectors, backend) <= left) {
        return Text.format("Use --batch %d or less, or other --ops.", batch);
      }
    }
    for (int layers = workload.layers() - 1; layers >= 1; layers--) {
      Workload smaller = workload.sized(1, workload.seq(), layers);
      if (bytes(smaller, op, vectors, backend) <= left) {
        return Text.format("Use --batch 1 --layers %d or less, or another device.", layers);
      }
    }
    return "Use a smaller workload or another device.";
  }
}
