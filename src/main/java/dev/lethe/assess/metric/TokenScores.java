package dev.lethe.assess.metric;

/**
 * What a model makes of a row's response, token by token.
 *
 * @param logProbability log p of each token, in nats
 * @param mean Σ p log p over the vocabulary at each position
 * @param variance Σ p (log p)² − mean² there
 */
public record TokenScores(double[] logProbability, double[] mean, double[] variance) {

  /** The row's loss: the mean of −log p. */
  public double loss() {
    double sum = 0;
    for (double value : logProbability) {
      sum -= value;
    }
    return sum / logProbability.length;
  }

  /** The mean over tokens of log p/(1−p). */
  public double margin() {
    double sum = 0;
    for (double value : logProbability) {
      sum += Klom.margin(value);
    }
    return sum / logProbability.length;
  }
}
