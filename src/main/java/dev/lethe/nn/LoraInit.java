package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.format.peft.PeftAdapterConfig;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import tools.jackson.databind.JsonNode;

/**
 * Start values of a new adapter by PEFT's rules: B is zero; A is uniform in ±1/√in (Kaiming with a
 * = √5), or with {@code init_lora_weights = "gaussian"} normal with deviation 1/rank.
 *
 * <p>Numbers come from L64X128MixRandom (JDK's java.util.random), seeded once, drawn in the order
 * of the parameter vector and rounded to float, so that a seed means the same adapter on every
 * backend.
 */
final class LoraInit {
  private static final String GENERATOR = "L64X128MixRandom";

  private final RandomGenerator random;
  private final boolean gaussian;

  LoraInit(PeftAdapterConfig config, long seed) {
    this.gaussian = gaussian(config.raw().path("init_lora_weights"));
    this.random = generator(seed);
  }

  /** The generator of everything here that takes a seed. */
  static RandomGenerator generator(long seed) {
    return RandomGeneratorFactory.of(GENERATOR).create(seed);
  }

  /** A (rank,in). */
  float[] a(long rank, long in) {
    float[] values = new float[Math.toIntExact(rank * in)];
    double bound = 1 / Math.sqrt(in);
    for (int i = 0; i < values.length; i++) {
      values[i] =
          (float) (gaussian ? random.nextGaussian() / rank : random.nextDouble(-bound, bound));
    }
    return values;
  }

  private static boolean gaussian(JsonNode init) {
    if (init.isMissingNode() || (init.isBoolean() && init.booleanValue())) {
      return false;
    }
    if (init.asString("").equals("gaussian")) {
      return true;
    }
    throw new LetheException(
        "adapter_config.json, init_lora_weights",
        "a new adapter cannot be started this way",
        "true or \"gaussian\"",
        init.toString(),
        "Change the field, or start from an adapter that PEFT has initialised.");
  }
}
