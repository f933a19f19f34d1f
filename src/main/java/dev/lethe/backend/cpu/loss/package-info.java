/** Head and cross-entropy, the vocabulary in slices. */
package dev.lethe.backend.cpu.loss;
