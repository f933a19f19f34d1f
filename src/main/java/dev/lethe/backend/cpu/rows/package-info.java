/** Kernels that work on rows and vectors: norms, rotary embedding, gated unit, dropout, optimiser. */
package dev.lethe.backend.cpu.rows;
