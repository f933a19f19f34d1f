package dev.lethe.backend;

/** All kernels of a backend, a component for each group. They compute calls that have been checked. */
public record Kernels(LoraKernels lora, LayerNormKernels layerNorm) {}
