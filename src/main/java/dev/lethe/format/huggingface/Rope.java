package dev.lethe.format.huggingface;

/**
 * The rotary positions of some layers.
 *
 * @param theta the base of the frequencies
 * @param width how many numbers of each head turn, from the first on; an even number
 */
public record Rope(double theta, int width, RopeScaling scaling) {

  /** The longest sequence, of a context of so many tokens, whose frequencies are these. */
  public long positions(long context) {
    return scaling instanceof RopeScaling.LongRope longRope
        ? Math.min(context, longRope.original())
        : context;
  }
}
