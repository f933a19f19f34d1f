/**
 * What kernels take beside tensors: frozen weights, how sequences are packed, which keys a query sees, tables of the
 * rotary embedding, nonlinearities.
 */
package dev.lethe.backend.kernel.operand;
