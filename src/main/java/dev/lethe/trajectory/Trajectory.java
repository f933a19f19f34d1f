package dev.lethe.trajectory;

import dev.lethe.Lifetime;
import dev.lethe.data.Sample;
import dev.lethe.format.FormatException;
import dev.lethe.format.file.MappedFile;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingPlan;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * The trajectory in an adapter's folder. Gradients are views of a mapped file, in the model's own order of
 * parameters. One thread at a time.
 */
public final class Trajectory implements TrainingLog, AutoCloseable {
  private final Path folder;
  private final TrajectoryHeader header;
  private final ParameterLayout layout;
  private final List<Parameter> permutation;
  private final List<LoggedRow> rows;
  private final List<StepLines.Line> steps;
  private final Tensor initial;
  private final Lifetime lifetime;
  private final Arena arena;
  private final MemorySegment gradients;
  private CompletableFuture<Void> ahead = CompletableFuture.completedFuture(null);

  private Trajectory(Path folder, AdaptedModel model, Arena arena) throws IOException {
    Path json = folder.resolve(TrajectoryFiles.HEADER);
    this.folder = folder;
    this.lifetime = new Lifetime("trajectory " + folder);
    this.arena = arena;
    this.layout = model.layout();
    this.header = TrajectoryHeader.read(json);
    TrajectoryChecks.requireSame(folder, header, model);
    this.permutation = header.permutation(layout, json);
    this.rows = TrajectoryChecks.rows(folder);
    this.steps = TrajectoryChecks.steps(folder, header.steps(), rows.size());
    this.initial = initial(folder, model);
    this.gradients = map(folder, header, arena);
  }

  /** Whether an adapter has a trajectory. */
  public static boolean exists(Path adapterDir) {
    return Files.exists(TrajectoryFiles.folder(adapterDir));
  }

  /**
   * Opens the trajectory of an adapter.
   *
   * @param model with this very adapter
   * @throws dev.lethe.LetheException where it is incomplete, or belongs to another adapter, model or version
   */
  public static Trajectory open(Path adapterDir, AdaptedModel model) {
    Path folder = TrajectoryFiles.folder(adapterDir);
    if (!Files.isDirectory(folder)) {
      throw new FormatException(
          FormatException.Kind.FILE_MISSING, folder.toString(), "the adapter has no trajectory",
          "the folder that train --trajectory on leaves", "nothing",
          "Train with --trajectory on, or choose a method that needs none.");
    }
    Arena arena = Arena.ofShared();
    try {
      Trajectory opened = new Trajectory(folder, model, arena);
      arena = null;
      return opened;
    } catch (IOException e) {
      throw TrajectoryChecks.unreadable(folder, e);
    } finally {
      if (arena != null) {
        arena.close();
      }
    }
  }

  /** What the trajectory belongs to. */
  public Provenance provenance() {
    lifetime.requireOpen();
    return header.provenance();
  }

  /** The number format of the gradients. */
  public DType dtype() {
    lifetime.requireOpen();
    return header.dtype();
  }

  @Override
  public TrainOptions options() {
    lifetime.requireOpen();
    return header.provenance().options();
  }

  @Override
  public List<LoggedRow> rows() {
    lifetime.requireOpen();
    return rows;
  }

  @Override
  public Tensor initial() {
    lifetime.requireOpen();
    return initial;
  }

  @Override
  public int steps() {
    lifetime.requireOpen();
    return steps.size();
  }

  @Override
  public LoggedStep step(int k) {
    lifetime.requireOpen();
    return steps.get(k).step();
  }

  @Override
  public Tensor gradient(int k) {
    lifetime.requireOpen();
    MemorySegment row = row(k);
    if (permutation == null) {
      return Tensor.view(row, header.dtype(), Shape.of(layout.size()));
    }
    long element = header.dtype().bytes();
    MemorySegment ordered = Arena.ofAuto().allocate(row.byteSize(), element);
    for (int i = 0; i < permutation.size(); i++) {
      Parameter from = permutation.get(i);
      long to = layout.parameters().get(i).offset();
      long bytes = from.shape().elements() * element;
      MemorySegment.copy(row, from.offset() * element, ordered, to * element, bytes);
    }
    return Tensor.view(ordered, header.dtype(), Shape.of(layout.size()));
  }

  @Override
  public void prefetch(int k) {
    lifetime.requireOpen();
    if (k < steps.size() && ahead.isDone()) {
      MemorySegment row = row(k);
      ahead = CompletableFuture.runAsync(row::load);
    }
  }

  /**
   * Where the slots of step k were cut into forward passes; null where the trajectory does not say.
   */
  public int[] partEnds(int k) {
    lifetime.requireOpen();
    int[] given = steps.get(k).partEnds();
    return given != null || provenance().foreign()
        ? given
        : StepLines.blocks(step(k).rows().length, options().batchSize());
  }

  /**
   * Checks that data are those of the training.
   *
   * @param data the rows that the adapter was trained on, in any order
   * @param promptForm how they became tokens, in words
   * @return the rows by the places of {@link #rows}; null for removed ones
   * @throws dev.lethe.LetheException naming rows that are missing, changed, unknown or removed before
   */
  public List<Sample> requireMatches(List<Sample> data, String promptForm) {
    lifetime.requireOpen();
    return RowMatch.of(folder, provenance(), rows, data, promptForm);
  }

  /** Refuses ids that were removed by an earlier request. */
  public void requireNotRemoved(Collection<String> ids) {
    lifetime.requireOpen();
    RowMatch.requireNotRemoved(folder, rows, ids);
  }

  /**
   * The training as a plan.
   *
   * @param samples as {@link #requireMatches} gives them
   */
  public TrainingPlan plan(List<Sample> samples) {
    lifetime.requireOpen();
    List<TrainingPlan.Step> planned = new ArrayList<>();
    long slots = 0;
    for (int k = 0; k < steps.size(); k++) {
      LoggedStep step = step(k);
      slots += step.rows().length;
      double epoch = (double) slots / rows.size();
      int[] ends = partEnds(k);
      planned.add(
          new TrainingPlan.Step(
              step.rate(), epoch, step.rows(), step.weights(),
              ends == null ? parts(step, samples) : ends));
    }
    return TrainingPlan.of(samples, planned);
  }

  /** Parts of a step that does not say; removed rows take no room in them. */
  private static int[] parts(LoggedStep step, List<Sample> samples) {
    int slots = step.rows().length;
    List<Sample> members = new ArrayList<>();
    for (int place : step.rows()) {
      if (samples.get(place) != null) {
        members.add(samples.get(place));
      }
    }
    return members.size() == slots
        ? TrainingPlan.partEnds(members, slots)
        : StepLines.blocks(slots, slots);
  }

  /** Unmaps the gradients; their tensors must no longer be used. Closing twice is harmless. */
  @Override
  public void close() {
    ahead.join();
    if (lifetime.end()) {
      arena.close();
    }
  }

  private MemorySegment row(int k) {
    long bytes = header.parameters() * header.dtype().bytes();
    return gradients.asSlice(k * bytes, bytes);
  }

  private static Tensor initial(Path folder, AdaptedModel model) {
    Path file = folder.resolve(TrajectoryFiles.INITIAL);
    try (SafeTensors tensors = SafeTensors.open(file);
        Scope scope = model.backend().openScope("initial parameters")) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      tensors.names().forEach(name -> named.put(name, tensors.get(name)));
      long size = model.layout().size();
      Tensor flat = scope.allocate(model.backend().vectorType(), size);
      model.layout().fromHost(model.backend(), named, flat, file.toString());
      MemorySegment copy = Arena.ofAuto().allocate(flat.byteSize(), flat.dtype().bytes());
      Tensor host = Tensor.view(copy, flat.dtype(), Shape.of(size));
      model.backend().download(flat, host);
      return Tensor.view(copy.asReadOnly(), flat.dtype(), Shape.of(size));
    }
  }

  private static MemorySegment map(Path folder, TrajectoryHeader header, Arena arena)
      throws IOException {
    Path file = folder.resolve(TrajectoryFiles.GRADIENTS);
    long rowBytes = header.parameters() * header.dtype().bytes();
    TrajectoryChecks.requireSize(file, header.steps(), rowBytes);
    return MappedFile.open(file, arena).asSlice(0, header.steps() * rowBytes);
  }
}
