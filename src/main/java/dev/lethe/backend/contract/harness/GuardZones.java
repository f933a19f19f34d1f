package dev.lethe.backend.contract.harness;

import dev.lethe.tensor.Tensor;

/** Who is told, around each call of the backend under test, what the call must not touch. */
public interface GuardZones {
  /** Nobody; what is written there shows afterwards. */
  GuardZones UNWATCHED =
      new GuardZones() {
        @Override
        public void forbid(Tensor zone) {}

        @Override
        public void permit(Tensor zone) {}
      };

  /** Before the call: nobody may read or write this tensor. */
  void forbid(Tensor zone);

  /** After the call. */
  void permit(Tensor zone);
}
