package dev.lethe.replay.operator;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/**
 * A sum of two operators: a costly one whose product is kept while the direction only grows or shrinks, and one that is
 * applied in every step. The kept product is scaled by the part of the direction that lies along the one that it was
 * made for; it is made anew when one of the directions has turned, and when a replay begins.
 */
public final class RefreshedOperator implements ReplayOperator {
  /** Made anew as the turn demands. */
  public static final int BY_TURN = 0;

  private final ReplayOperator operator;
  private final ReplayOperator always;
  private final double turn;
  private final int every;
  private final Backend backend;
  private final Scope scope;
  private Tensor product;
  private Tensor direction;
  private double[] squares;
  private int made;

  /**
   * Both stay their owners'.
   *
   * @param operator the costly one
   * @param always null for none
   * @param turn the sine of the angle that calls for a new product
   * @param every the most steps from one product of the costly one to the next; {@link #BY_TURN} for no bound
   */
  public RefreshedOperator(
      ReplayOperator operator, ReplayOperator always, double turn, int every, Backend backend) {
    if (every < 0) {
      throw new ArgumentException("a product every " + every + " steps");
    }
    this.operator = operator;
    this.always = always;
    this.turn = turn;
    this.every = every;
    this.backend = backend;
    this.scope = backend.openScope("kept product");
  }

  @Override
  public String name() {
    String costly = operator.name();
    if (every != 1) {
      costly += every == BY_TURN ? " where it turns" : Text.format(
          " where it turns, at least every %d steps",
          every);
    }
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
    double[] along = step < made || product == null || product.dim(0) != d.dim(0) ? null : along(step, d);
    if (along == null) {
      make(step, d);
      along = new double[Math.toIntExact(d.dim(0))];
      Arrays.fill(along, 1);
    }
    for (int j = 0; j < along.length; j++) {
      backend.vectors().axpy(scale * along[j], product.row(j), out.row(j));
    }
  }

  private void make(int step, Tensor d) {
    if (product != null && product.dim(0) != d.dim(0)) {
      scope.release(product);
      scope.release(direction);
      product = null;
    }
    if (product == null) {
      product = scope.allocate(backend.vectorType(), d.shape());
      direction = scope.allocate(backend.vectorType(), d.shape());
    }
    backend.vectors().copy(d, direction);
    squares = new double[Math.toIntExact(d.dim(0))];
    for (int j = 0; j < squares.length; j++) {
      squares[j] = backend.vectors().dot(d.row(j), d.row(j));
    }
    backend.vectors().fill(product, 0);
    operator.addProduct(step, d, 1, product);
    made = step;
  }

  /** What part of the kept directions the new ones have; null where one has turned away. */
  private double[] along(int step, Tensor d) {
    if (every != BY_TURN && step - made >= every) {
      return null;
    }
    double[] along = new double[squares.length];
    for (int j = 0; j < along.length; j++) {
      double inner = backend.vectors().dot(direction.row(j), d.row(j));
      double kept = squares[j];
      double now = backend.vectors().dot(d.row(j), d.row(j));
      if (now > 0 && !(inner * inner > (1 - turn * turn) * kept * now)) {
        return null;
      }
      along[j] = now == 0 ? 0 : inner / kept;
    }
    return along;
  }

  @Override
  public void close() {
    scope.close();
  }
}
