/**
 * The operations of a tape, one record each: its mathematics, its values and its four rules. A new operation is a new
 * record that implements {@link dev.lethe.autograd.op.Op}; nothing else names it. {@code docs/one-op.md} adds one.
 */
package dev.lethe.autograd.op;
