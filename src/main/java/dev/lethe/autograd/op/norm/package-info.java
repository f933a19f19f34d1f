/** The operations that normalize rows, and the sum that a normalization may take in: one residual, one scale. */
package dev.lethe.autograd.op.norm;
