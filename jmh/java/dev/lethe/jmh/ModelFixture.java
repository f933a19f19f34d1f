package dev.lethe.jmh;

import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.Sample;
import dev.lethe.format.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** A Llama of random weights with a random adapter and a batch of random tokens, ready to differentiate. */
public final class ModelFixture implements AutoCloseable {
  private static final double DEVIATION = 0.05;

  private final ModelSize size;
  private final BenchmarkFolder dir = BenchmarkFolder.make();
  private final Backend backend;
  private final HfModelFolder folder;
  private final LanguageModel model;
  private final LoraAdapter adapter;
  private final AdaptedModel adapted;
  private final List<Sample> samples;
  private final Batch batch;
  private final Scope scope;
  private final Tensor v;
  private final Tensor g;

  /**
   * Makes the model, its adapter and batch.
   *
   * @param device the backend by name
   * @param threads of the backend; 0: as many as the machine has
   */
  public ModelFixture(ModelSize size, String device, int threads) {
    this.size = size;
    size.workload().write(dir.path(), 1);
    backend = Backends.select(device, new BackendOptions(threads));
    folder = HfModelFolder.open(dir.path());
    model = LanguageModel.open(folder, backend);
    adapter = LoraAdapter.create(size.workload().adapterConfig(), model, 1);
    fill(adapter.theta(), 2);
    adapted = new AdaptedModel(model, adapter);
    samples = samples(size);
    batch = Batch.of(samples, backend);
    scope = backend.openScope("benchmark");
    v = vectors(size.vectors(), 3);
    g = vectors(size.vectors(), 4);
  }

  /** Its dimensions. */
  public ModelSize size() {
    return size;
  }

  public Backend backend() {
    return backend;
  }

  public AdaptedModel adapted() {
    return adapted;
  }

  public List<Sample> samples() {
    return samples;
  }

  /** θ (P). */
  public Tensor theta() {
    return adapter.theta();
  }

  /** Directions (k,P). */
  public Tensor v() {
    return v;
  }

  /** Where products go, (k,P). */
  public Tensor g() {
    return g;
  }

  /** The memory that lives as long as this. */
  public Scope scope() {
    return scope;
  }

  /** A new tape of the batch. */
  public Tape tape() {
    return adapted.tape(batch);
  }

  private static List<Sample> samples(ModelSize size) {
    Random random = new Random(5);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < size.samples(); i++) {
      int[] ids = random.ints(size.tokens() + 1L, 0, size.vocabulary()).toArray();
      samples.add(new Sample(Integer.toString(i), ids, ids, "random"));
    }
    return samples;
  }

  private Tensor vectors(int count, long seed) {
    Tensor tensor = scope.allocate(backend.vectorType(), count, theta().elements());
    fill(tensor, seed);
    return tensor;
  }

  private void fill(Tensor target, long seed) {
    Random random = new Random(seed);
    double[] values = new double[Math.toIntExact(target.elements())];
    Arrays.setAll(values, i -> DEVIATION * random.nextGaussian());
    backend.upload(Tensor.of(target.shape(), values), target);
  }

  @Override
  public void close() {
    scope.close();
    batch.close();
    adapter.close();
    model.close();
    folder.close();
    backend.close();
    dir.close();
  }
}
