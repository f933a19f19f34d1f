package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * An operator whose product is made anew every so many steps and kept in between: cheaper where the operator is
 * large, and nearly as good where the streams part slowly. For one replay, with always the same number of directions.
 */
public final class RefreshedOperator implements ReplayOperator {
  private final ReplayOperator operator;
  private final int every;
  private final Backend backend;
  private final Scope scope;
  private Tensor product;
  private int made;

  /**
   * @param operator stays its owner's
   * @param every steps from one product to the next, at least 1
   */
  public RefreshedOperator(ReplayOperator operator, int every, Backend backend) {
    if (every < 1) {
      throw new IllegalArgumentException("a product every " + every + " steps");
    }
    this.operator = operator;
    this.every = every;
    this.backend = backend;
    this.scope = backend.openScope("kept product");
  }

  @Override
  public String name() {
    return operator.name() + (every == 1 ? "" : " every %d steps".formatted(every));
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
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
