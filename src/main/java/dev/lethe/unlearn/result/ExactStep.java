package dev.lethe.unlearn.result;

import dev.lethe.LetheException;
import dev.lethe.format.Sha256;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/**
 * A step Δ that can be taken and taken back without a trace. Rounding makes (θ+Δ)−Δ differ from θ
 * where |Δ| is far above |θ|, so the step remembers θ at those few places: taken back from exactly
 * the parameters it led to (told by their hash), it gives exactly those it started from. Added to
 * or subtracted from any other parameters it is plain rounded arithmetic.
 *
 * @param delta Δ (P) in host memory, in the format of the parameters
 * @param undoIndex places where subtraction alone does not return, ascending
 * @param undoValue what stood there before the step
 * @param beforeSha256 of the parameters the step was made for, see {@link #sha256}
 * @param afterSha256 of the parameters it led to
 */
public record ExactStep(
    Tensor delta,
    long[] undoIndex,
    double[] undoValue,
    String beforeSha256,
    String afterSha256) {

  /**
   * The step from one parameter vector to another, both (P) in host memory and of one format. The
   * second is changed to what {@link #add} gives, which may differ from it in the last bit.
   */
  public static ExactStep between(Tensor before, Tensor after) {
    Tensor delta = HostTensors.zeros(before.dtype(), before.elements());
    long[] index = new long[16];
    double[] value = new double[16];
    int places = 0;
    for (long i = 0; i < before.elements(); i++) {
      double old = before.get(i);
      delta.set(i, after.get(i) - old);
      after.set(i, old + delta.get(i));
      if (!returns(old, after.get(i), delta.get(i), before.dtype())) {
        if (places == index.length) {
          index = Arrays.copyOf(index, 2 * places);
          value = Arrays.copyOf(value, 2 * places);
        }
        index[places] = i;
        value[places++] = old;
      }
    }
    return new ExactStep(
        delta,
        Arrays.copyOf(index, places),
        Arrays.copyOf(value, places),
        sha256(before),
        sha256(after));
  }

  /**
   * The step to parameters that must not change in the last bit: {@link #add} leads to within rounding of them,
   * {@link #subtract} from them leads back exactly.
   */
  public static ExactStep to(Tensor before, Tensor after) {
    Tensor reached = HostTensors.copy(after);
    ExactStep step = between(before, reached);
    long[] index = new long[Math.toIntExact(before.elements())];
    double[] value = new double[index.length];
    int places = 0;
    for (int i = 0; i < index.length; i++) {
      if (!returns(before.get(i), after.get(i), step.delta.get(i), before.dtype())) {
        index[places] = i;
        value[places++] = before.get(i);
      }
    }
    return new ExactStep(
        step.delta,
        Arrays.copyOf(index, places),
        Arrays.copyOf(value, places),
        step.beforeSha256,
        sha256(after));
  }

  /** The step that goes nowhere from the given host vector (P). */
  public static ExactStep none(Tensor theta) {
    String hash = sha256(theta);
    Tensor zero = HostTensors.zeros(theta.dtype(), theta.elements());
    return new ExactStep(zero, new long[0], new double[0], hash, hash);
  }

  /** The hash that identifies parameters: their format and bytes in the order of the layout. */
  public static String sha256(Tensor host) {
    return Sha256.start().add(host.dtype().name()).add(host).hex();
  }

  /** θ ← θ + Δ on a host vector (P). */
  public void add(Tensor theta) {
    requireSize(theta);
    for (long i = 0; i < delta.elements(); i++) {
      theta.set(i, theta.get(i) + delta.get(i));
    }
  }

  /**
   * θ ← θ − Δ on a host vector (P).
   *
   * @return whether these were the parameters that the step led to; then those before it are back
   *     exactly
   */
  public boolean subtract(Tensor theta) {
    requireSize(theta);
    boolean exact = sha256(theta).equals(afterSha256);
    for (long i = 0; i < delta.elements(); i++) {
      theta.set(i, theta.get(i) - delta.get(i));
    }
    if (exact) {
      for (int k = 0; k < undoIndex.length; k++) {
        theta.set(undoIndex[k], undoValue[k]);
      }
    }
    return exact;
  }

  private void requireSize(Tensor theta) {
    if (theta.elements() != delta.elements() || theta.dtype() != delta.dtype()) {
      throw new LetheException(
          "unlearning step",
          "it belongs to parameters of another size or format",
          delta.toString(),
          theta.toString(),
          "Apply it to an adapter of the same shape, on a backend of the same number format.");
    }
  }

  private static boolean returns(double old, double now, double delta, DType type) {
    double back = type == DType.F32 ? (float) (now - delta) : now - delta;
    return Double.doubleToRawLongBits(back) == Double.doubleToRawLongBits(old);
  }
}
