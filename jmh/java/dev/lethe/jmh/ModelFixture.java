package dev.lethe.jmh;

import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.bench.RandomData;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

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
    RandomData.fill(backend, adapter.theta(), DEVIATION, 2);
    adapted = new AdaptedModel(model, adapter);
    samples = RandomData.rows(size.samples(), i -> size.tokens() + 1, size.vocabulary(), 5);
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

  private Tensor vectors(int count, long seed) {
    Tensor tensor = scope.allocate(backend.vectorType(), count, theta().elements());
    RandomData.fill(backend, tensor, DEVIATION, seed);
    return tensor;
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
