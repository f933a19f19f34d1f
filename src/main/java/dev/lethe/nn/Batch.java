package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.Lifetime;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Samples on a backend, packed one after another without padding. Row t of a sample predicts token
 * t + 1, so {@code labels[t]} supervises row t − 1, as in Hugging Face. Rows behind the last
 * supervised one are left out: attention is causal, so nothing depends on them.
 */
public final class Batch implements AutoCloseable {
  private final List<Sample> samples;
  private final Lifetime lifetime = new Lifetime("batch");
  private final Scope scope;
  private final Packing packing;
  private final Packing supervised;
  private final Tensor ids;
  private final Tensor positions;
  private final Tensor rows;
  private final Tensor targets;
  private final Tensor weights;
  private final Backend backend;
  private Tensor rowKeys;
  private Tensor states;

  private Batch(List<Sample> samples, Backend backend) {
    this.backend = backend;
    this.samples = List.copyOf(samples);
    this.samples.forEach(Batch::requireSupervised);
    this.packing = Packing.ofLengths(samples.stream().map(Batch::neededRows).toList());
    this.supervised = Packing.ofLengths(samples.stream().map(Sample::supervised).toList());
    int[] idValues = new int[packing.rows()];
    int[] positionValues = new int[packing.rows()];
    int[] rowValues = new int[supervised.rows()];
    int[] targetValues = new int[supervised.rows()];
    double[] weightValues = new double[supervised.rows()];
    for (int i = 0; i < samples.size(); i++) {
      Sample sample = samples.get(i);
      int start = packing.start(i);
      System.arraycopy(sample.inputIds(), 0, idValues, start, packing.length(i));
      for (int t = 0; t < packing.length(i); t++) {
        positionValues[start + t] = t;
      }
      int at = supervised.start(i);
      Arrays.fill(weightValues, at, supervised.end(i), 1.0 / supervised.length(i));
      for (int t : supervisedPositions(sample)) {
        rowValues[at] = start + t - 1;
        targetValues[at++] = sample.labels()[t];
      }
    }
    this.scope = backend.openScope("batch").of(lifetime);
    this.ids = integers(backend, idValues);
    this.positions = integers(backend, positionValues);
    this.rows = integers(backend, rowValues);
    this.targets = integers(backend, targetValues);
    this.weights = scope.allocate(backend.vectorType(), weightValues.length);
    backend.upload(Tensor.of(Shape.of(weightValues.length), weightValues), weights);
  }

  /**
   * Uploads samples.
   *
   * @param samples at least one, each with a supervised token
   */
  public static Batch of(List<Sample> samples, Backend backend) {
    if (samples.isEmpty()) {
      throw new ArgumentException("a batch without samples");
    }
    return new Batch(samples, backend);
  }

  /** Number of samples. */
  public int size() {
    lifetime.requireOpen();
    return samples.size();
  }

  /** Rows that are computed: all tokens but those behind the last supervised row of each sample. */
  public long tokens() {
    lifetime.requireOpen();
    return packing.rows();
  }

  public List<Sample> samples() {
    lifetime.requireOpen();
    return samples;
  }

  /**
   * Gives the memory back; tapes of this batch must no longer be used. Closing twice is harmless.
   */
  @Override
  public void close() {
    lifetime.end();
    scope.close();
  }

  /** The samples' rows. */
  Packing packing() {
    lifetime.requireOpen();
    return packing;
  }

  /** The samples' supervised rows. */
  Packing supervised() {
    lifetime.requireOpen();
    return supervised;
  }

  /** I32 (N). */
  Tensor ids() {
    lifetime.requireOpen();
    return ids;
  }

  /** I32 (N), from 0 in each sample. */
  Tensor positions() {
    lifetime.requireOpen();
    return positions;
  }

  /** I32 (M): the supervised rows. */
  Tensor rows() {
    lifetime.requireOpen();
    return rows;
  }

  /** I32 (M): what they are to predict. */
  Tensor targets() {
    lifetime.requireOpen();
    return targets;
  }

  /** (M): 1/(supervised tokens of the sample). */
  Tensor weights() {
    lifetime.requireOpen();
    return weights;
  }

  /** (N,D): what enters the layer that tapes of this batch start at. */
  Tensor states(HiddenStates kept) {
    lifetime.requireOpen();
    if (states == null) {
      states = scope.allocate(backend.activationType(), packing.rows(), kept.width());
      kept.fill(this, states);
    }
    return states;
  }

  /** I32 (N,2): 64 bits for each row by its sample's id and its position, wherever it stands. */
  Tensor rowKeys() {
    lifetime.requireOpen();
    if (rowKeys == null) {
      int[] halves = new int[2 * packing.rows()];
      for (int i = 0; i < samples.size(); i++) {
        long id = Sha256.start().add(samples.get(i).id()).first64Bits();
        for (int t = 0; t < packing.length(i); t++) {
          long key = SplitMix64.bits(id, t);
          int at = 2 * (packing.start(i) + t);
          halves[at] = (int) key;
          halves[at + 1] = (int) (key >>> 32);
        }
      }
      rowKeys = integers(backend, halves).reshape(packing.rows(), 2);
    }
    return rowKeys;
  }

  private Tensor integers(Backend backend, int[] values) {
    return HostTensors.uploadIntegers(backend, scope, values);
  }

  private static int neededRows(Sample sample) {
    int[] positions = supervisedPositions(sample);
    return positions[positions.length - 1];
  }

  private static int[] supervisedPositions(Sample sample) {
    return IntStream.range(1, sample.length())
        .filter(t -> sample.labels()[t] != Sample.IGNORED)
        .toArray();
  }

  private static void requireSupervised(Sample sample) {
    if (sample.supervised() == 0) {
      throw new LetheException(
          "sample '" + sample.id() + "'",
          "no token is supervised",
          "a label other than " + Sample.IGNORED + " after the first position",
          "none in " + sample.length() + " tokens",
          "Give the sample a response or remove it.");
    }
  }
}
