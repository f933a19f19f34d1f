/**
 * Arithmetic of the CPU kernels on rows, tiles and records: three small interfaces that native code ({@code
 * native/cpu}), the Vector API and plain Java implement with the same bytes as the result.
 */
package dev.lethe.backend.cpu.primitive;
