/**
 * Decoder-only transformers with LoRA adapters on them. What distinguishes one family from another
 * is data ({@link dev.lethe.nn.family.ModelFamily}), because a class a family would repeat one
 * architecture many times over. {@link dev.lethe.nn.AdaptedModel} records the tapes that everything
 * above differentiates; {@link dev.lethe.nn.Generator} runs the same layers forward only, with a
 * key-value cache.
 */
package dev.lethe.nn;
