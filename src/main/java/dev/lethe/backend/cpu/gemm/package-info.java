/** Matrix products of the CPU backend, the panels they pack, and the workers and scratch memory. */
package dev.lethe.backend.cpu.gemm;
