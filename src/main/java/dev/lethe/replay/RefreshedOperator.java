package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * A sum of two operators: a costly one whose product is made anew every so many steps and kept in between, which is
 * nearly as good where the streams part slowly, and one that is applied in every step. With always the same number of
 * directions, for one request at a time.
 */
public final class RefreshedOperator implements ReplayOperator {
  private final ReplayOperator operator;
  private final ReplayOperator always;
  private final int every;
  private final Backend backend;
  private final Scope scope;
  private Tensor product;
  private int made;

  /**
   * Both stay their owners'.
   *
   * @param operator the costly one
   * @param always null for none
   * @param every steps from one product of the costly one to the next, at least 1
   */
  public RefreshedOperator(
      ReplayOperator operator, ReplayOperator always, int every, Backend backend) {
    if (every < 1) {
      throw new IllegalArgumentException("a product every " + every + " steps");
    }
    this.operator = operator;
    this.always = always;
    this.every = every;
    this.backend = backend;
    this.scope = backend.openScope("kept product");
  }

  @Override
  public String name() {
    String costly = operator.name() + (every == 1 ? "" : " every %d steps".formatted(every));
    return always == null ? costly : costly + " + " + always.name();
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    if (always != null) {
      always.addProduct(step, d, scale, out);
    }
    if (every == 1) {
      operator.addProduct(step, d, scale, out);
      return;
    }
    if (product == null || step - made >= every || step < made) {
      if (product == null) {
        product = scope.allocate(backend.vectorType(), d.shape());
      }
      backend.vectors().fill(product, 0);
      operator.addProduct(step, d, 1, product);
      made = step;
    }
    backend.vectors().axpy(scale, product, out);
  }

  @Override
  public void close() {
    scope.close();
  }
}
