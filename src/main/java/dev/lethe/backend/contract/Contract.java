package dev.lethe.backend.contract;

import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** What every backend must do, by group: each kernel in each mode as the reference computes it. */
public final class Contract {
  private static final Map<String, Function<KernelBench, Stream<ContractCase>>> GROUPS = groups();

  private Contract() {}

  private static Map<String, Function<KernelBench, Stream<ContractCase>>> groups() {
    Map<String, Function<KernelBench, Stream<ContractCase>>> groups = new LinkedHashMap<>();
    groups.put("memory", MemoryContract::cases);
    groups.put("embedding", EmbeddingContract::cases);
    groups.put("rmsNorm", RmsNormContract::cases);
    groups.put("layerNorm", LayerNormContract::cases);
    groups.put("lora", LoraContract::cases);
    groups.put("loraGradients", LoraGradientContract::cases);
    groups.put("loraGroup", LoraGroupContract::cases);
    groups.put("packedWeights", PackedWeightContract::cases);
    groups.put("rope", RopeContract::cases);
    groups.put("attention", AttentionContract::cases);
    groups.put("attentionDerivatives", AttentionDerivativeContract::cases);
    groups.put("gatedUnit", GatedUnitContract::cases);
    groups.put("columns", ColumnContract::cases);
    groups.put("rows", RowContract::cases);
    groups.put("dropout", DropoutContract::cases);
    groups.put("scaledSum", ScaledSumContract::cases);
    groups.put("loss", LossContract::cases);
    groups.put("vectors", VectorContract::cases);
    groups.put("sketch", SketchContract::cases);
    groups.put("replay", ReplayContract::cases);
    return Collections.unmodifiableMap(groups);
  }

  /** The groups and what makes their cases, in order. */
  public static Map<String, Function<KernelBench, Stream<ContractCase>>> all() {
    return GROUPS;
  }

  /** The cases of all groups. */
  public static Stream<ContractCase> cases(KernelBench bench) {
    return GROUPS.values().stream().flatMap(group -> group.apply(bench));
  }
}
