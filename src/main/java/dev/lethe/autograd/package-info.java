/**
 * A minimal automatic differentiation for networks made of fused block operations. A {@link
 * dev.lethe.autograd.Tape} is the recorded program; {@code ForwardRules}, {@code TangentRules}, {@code
 * BackwardRules} and {@code BackwardTangentRules} are the four rule tables, one exhaustive switch each,
 * so that the compiler refuses an operation that lacks a rule. {@link dev.lethe.autograd.Gradients} runs
 * the program once; {@link dev.lethe.autograd.Linearization} keeps what every later product needs.
 */
package dev.lethe.autograd;
