package dev.lethe.backend.kernel;

/** All kernels of a backend, a component for each group. They compute calls that have been checked. */
public record Kernels(
    EmbeddingKernels embedding,
    RmsNormKernels rmsNorm,
    LayerNormKernels layerNorm,
    LoraKernels lora,
    RopeKernels rope,
    AttentionKernels attention,
    GatedUnitKernels gatedUnit,
    RowKernels rows,
    DropoutKernels dropout,
    LossKernels loss,
    VectorKernels vectors,
    SketchKernels sketch,
    ReplayKernels replay) {}
