/**
 * A minimal automatic differentiation for networks made of fused block operations. A {@link dev.lethe.autograd.Tape} is
 * the recorded program; its operations, {@link dev.lethe.autograd.op}, own their four rules. {@link
 * dev.lethe.autograd.Gradients} runs the program once; {@link dev.lethe.autograd.Linearization} keeps what every later
 * product needs.
 */
package dev.lethe.autograd;
