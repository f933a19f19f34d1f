package dev.lethe.evaluate;

/**
 * The loss of one row.
 *
 * @param id the row's name
 * @param loss mean cross-entropy over its supervised tokens, in nats
 * @param tokens how many those are
 */
public record RowLoss(String id, double loss, long tokens) {

  /** log p(response | query): the sum over the supervised tokens. */
  public double logProbability() {
    return -loss * tokens;
  }

  /** p(response | query) to the power 1/tokens, as TOFU measures probability. */
  public double probability() {
    return Math.exp(-loss);
  }
}
