/** Launching kernels: the context, device memory, transfers and arguments. */
package dev.lethe.backend.cuda.launch;
