package dev.lethe.curvature.sum;

import dev.lethe.backend.Backend;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;

/** Adds the terms of consecutive blocks on their backend, in the order of {@link SumTree}. */
public final class BlockSums implements AutoCloseable {
  private final Backend backend;
  private final Shape shape;
  private final Scope scope;
  private final Deque<Tensor> free = new ArrayDeque<>();
  private final SumTree<Tensor> tree = new SumTree<>(this::add);
  private int next;

  /**
   * Sums of tensors of this shape, in the vector format.
   *
   * @param first the first block
   */
  public BlockSums(Backend backend, Shape shape, int first) {
    this.backend = backend;
    this.shape = shape;
    this.next = first;
    this.scope = backend.openScope("sums of blocks");
  }

  /** Adds the next block's term: what the work adds to the zeros that it gets. */
  public void add(Consumer<Tensor> work) {
    put(
        term -> {
          backend.vectors().fill(term, 0);
          work.accept(term);
        });
  }

  /** Adds the next block's term, which the work writes. */
  public void put(Consumer<Tensor> work) {
    Tensor term = free.isEmpty() ? scope.allocate(backend.vectorType(), shape) : free.pop();
    work.accept(term);
    tree.push(SumNode.leaf(next++), term);
  }

  private Tensor add(Tensor left, Tensor right) {
    backend.vectors().axpy(1, right, left);
    free.push(right);
    return left;
  }

  /** The sum of all blocks from 0 into {@code out}, zeros where there are none. Begins anew at block 0. */
  public void takeTotal(Tensor out) {
    Tensor total = tree.takeRoot();
    if (total == null) {
      backend.vectors().fill(out, 0);
    } else {
      backend.vectors().copy(total, out);
      free.push(total);
    }
    next = 0;
  }

  /** Adds the sum of all blocks from 0 to {@code out}. Begins anew at block 0. */
  public void addTotalTo(Tensor out) {
    Tensor total = tree.takeRoot();
    if (total != null) {
      backend.vectors().axpy(1, total, out);
      free.push(total);
    }
    next = 0;
  }

  /** Copies of the nodes that the blocks make; they are taken out. */
  public List<PartialSum> takeParts() {
    return tree.takeNodes().stream().map(entry -> part(entry.node(), entry.sum())).toList();
  }

  private PartialSum part(SumNode node, Tensor sum) {
    free.push(sum);
    return new PartialSum(node, HostTensors.download(backend, sum));
  }

  /** Gives the memory back; closing twice is harmless. */
  @Override
  public void close() {
    scope.close();
  }
}
