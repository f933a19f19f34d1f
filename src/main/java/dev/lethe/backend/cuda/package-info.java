/**
 * The CUDA backend: one class an operation, which checks arguments and launches the kernels of the file of
 * the same name in {@code kernels/}. Devices are driven by {@link dev.lethe.backend.cuda.driver}, matrix
 * products are made by {@link dev.lethe.backend.cuda.blas}.
 */
package dev.lethe.backend.cuda;
