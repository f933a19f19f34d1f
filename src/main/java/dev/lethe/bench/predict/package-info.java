/** Predicts an operation's time on a GPU from the work of its kernels: docs/gpu-model.md. */
package dev.lethe.bench.predict;
