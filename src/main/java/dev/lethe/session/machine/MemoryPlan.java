package dev.lethe.session.machine;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.Rehearsal;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.WeightStorage;
import dev.lethe.tensor.HostMemory;
import dev.lethe.tensor.Scope;
import java.util.List;

/**
 * How many bytes of tensors work on a model takes at most: found by doing it on a {@link Rehearsal}, so that whoever
 * changes the work changes the plan. Java itself and the parts of mapped files that are read come on top, and some
 * megabytes that each thread of the CPU keeps.
 *
 * @param adapter null: the bare model
 */
public record MemoryPlan(ModelFiles files, Backend backend, WeightStorage storage, PeftAdapterConfig adapter) {
  /** Tokens below which smaller batches save nothing that matters. */
  private static final long LEAST_TOKENS = 64;

  /** Bytes of the weights and the adapter. */
  public long loaded() {
    Rehearsal rehearsal = new Rehearsal(backend);
    try (LanguageModel model = LanguageModel.open(files, rehearsal, storage);
        LoraAdapter lora = lora(model)) {
      return rehearsal.memoryUse().liveBytes();
    }
  }

  /** Bytes of work on rows, the weights among them. */
  public long bytes(Work work, List<Sample> rows, BatchLimits limits) {
    Rehearsal rehearsal = new Rehearsal(backend);
    try (LanguageModel model = LanguageModel.open(files, rehearsal, storage);
        LoraAdapter lora = lora(model);
        Scope scope = rehearsal.openScope(work.label())) {
      work.doing().on(new AdaptedModel(model, lora), rows, limits, scope);
      return rehearsal.memoryUse().peakBytes();
    }
  }

  /**
   * How work fits.
   *
   * @param limits of its batches
   * @param bytes that its tensors take with them, 0 where there are no rows
   */
  public record Fit(BatchLimits limits, long bytes) {}

  /**
   * The largest of the limits and their halves with which work fits into what is there.
   *
   * @param fixed whether the limits were asked for, and are not changed
   * @throws EnvironmentException where nothing fits
   */
  public Fit fitting(Work work, List<Sample> rows, BatchLimits limits, boolean fixed) {
    HostMemory memory = HostMemory.now();
    long room = backend.memoryUse().liveBytes() + backend.freeMemory().orElse(memory.room());
    return fitting(
        work, rows, limits, fixed, room, backend.freeMemory().isPresent() ? "the device" : memory.reason());
  }

  /**
   * The same with so much room for all tensors, those that are there included.
   *
   * @param whose who gives it
   */
  Fit fitting(
      Work work, List<Sample> rows, BatchLimits limits, boolean fixed, long room, String whose) {
    if (rows.isEmpty()) {
      return new Fit(limits, 0);
    }
    BatchLimits tried = limits;
    long need = bytes(work, rows, tried);
    while (need > room && !fixed && tried.maxTokens() > LEAST_TOKENS) {
      tried = new BatchLimits(limits.maxSamples(), tried.maxTokens() / 2);
      need = bytes(work, rows, tried);
    }
    if (need <= room) {
      return new Fit(tried, need);
    }
    throw new EnvironmentException(
        work.label(),
        Text.format(
            "needs %s of memory for tensors%s, and %s leaves %s",
            Machine.bytes(need),
            Work.BATCH_TOKENS.equals(work.smaller())
                ? Text.format(" at %,d tokens a batch", tried.maxTokens())
                : "",
            whose,
            Machine.bytes(room)),
        (work.smaller() == null || !fixed ? "Use " : "Use a smaller " + work.smaller() + ", ")
            + "shorter rows (--max-length), --weights bf16, or more memory.");
  }

  private LoraAdapter lora(LanguageModel model) {
    return adapter == null ? null : LoraAdapter.zero(adapter, model);
  }
}
