package dev.lethe.evaluate;

import dev.lethe.Text;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Tensor;

/**
 * How far an adapter is from the one that training again gives, and how far it was before
 * unlearning. Two measures, neither of which sees how a product BA is split into its factors.
 *
 * @param outputs mean KL(p_retrained‖p_unlearned) over the supervised positions of some rows
 * @param outputsBefore the same for the original adapter
 * @param weights ‖ΔW_unlearned − ΔW_retrained‖
 * @param weightsBefore the same for the original adapter
 */
public record RetrainDistance(
    double outputs, double outputsBefore, double weights, double weightsBefore) {

  /**
   * Measures an adapter's parameters against retrained ones.
   *
   * @param rows where to compare outputs
   * @param adapter any adapter of the same layout
   * @param original parameters (P) before unlearning
   * @param unlearned parameters (P) after it
   * @param retrained parameters (P) of the same training without the forgotten rows
   */
  public static RetrainDistance of(
      Outputs rows, LoraAdapter adapter, Tensor original, Tensor unlearned, Tensor retrained) {
    return new RetrainDistance(
        rows.divergence(retrained, unlearned),
        rows.divergence(retrained, original),
        adapter.deltaWeightDistance(unlearned, retrained),
        adapter.deltaWeightDistance(original, retrained));
  }

  /**
   * The part of the distance in outputs that is closed: 1 at the retrained adapter, 0 unchanged.
   */
  public double outputsClosed() {
    return 1 - outputs / outputsBefore;
  }

  /**
   * The part of the distance in weights that is closed: 1 at the retrained adapter, 0 unchanged.
   */
  public double weightsClosed() {
    return 1 - weights / weightsBefore;
  }

  @Override
  public String toString() {
    return Text.format(
        "outputs %.3e of %.3e (%.1f %% closed), weights %.3e of %.3e (%.1f %% closed)",
        outputs, outputsBefore, 100 * outputsClosed(),
        weights, weightsBefore, 100 * weightsClosed());
  }
}
