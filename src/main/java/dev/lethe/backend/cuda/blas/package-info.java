/** Dense matrix products on a CUDA device, by NVIDIA's libraries through JCublas or the JDK's FFM API. */
package dev.lethe.backend.cuda.blas;
