package dev.lethe.autograd;

import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;

/** Takes what the parameter gradients of an adapter are made of: Ā = s hᵀxₐ, B̄ = s ȳᵀu. */
@FunctionalInterface
public interface AdapterVisitor {
  /**
   * The tensors are alive during the call only.
   *
   * @param xa the adapter's input (N,in)
   * @param u xₐAᵀ (N,r)
   * @param h ȳB (k,N,r)
   * @param gy ȳ (k,N,out)
   */
  void visit(LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy);
}
