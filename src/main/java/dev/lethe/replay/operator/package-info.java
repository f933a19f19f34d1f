/**
 * Models of how the gradient of the retained rows changes when the adapter moves: a sketch of the
 * Gauss-Newton matrix, EK-FAC, and the bilinear term of the LoRA pairs.
 */
package dev.lethe.replay.operator;
