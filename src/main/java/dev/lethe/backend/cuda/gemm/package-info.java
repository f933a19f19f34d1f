/** Matrix products of the CUDA backend: frozen weights in device memory, packed ones opened, our own products. */
package dev.lethe.backend.cuda.gemm;
