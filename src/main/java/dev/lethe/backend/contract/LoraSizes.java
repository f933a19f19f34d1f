package dev.lethe.backend.contract;

import dev.lethe.backend.kernel.LoraSlot;

/** Sizes of a LoRA layer: rows, inputs, outputs, rank and directions. */
record LoraSizes(int n, int in, int out, int rank, int k) {
  static final LoraSizes[] ALL = {
    new LoraSizes(1, 1, 1, 1, 1),
    new LoraSizes(2, 3, 5, 1, 2),
    new LoraSizes(5, 17, 33, 2, 3),
    new LoraSizes(13, 64, 31, 8, 1),
    new LoraSizes(7, 65, 100, 4, 2),
    new LoraSizes(33, 31, 64, 7, 3),
    new LoraSizes(70, 100, 63, 16, 1),
    new LoraSizes(3, 130, 17, 3, 2),
    new LoraSizes(40, 136, 72, 40, 2),
    new LoraSizes(230, 40, 24, 8, 1)
  };

  /** The pair lies between other parameters, B before A in every second size. */
  LoraSlot slot() {
    long aElements = (long) rank * in;
    long bElements = (long) out * rank;
    boolean aFirst = n % 2 == 1;
    return new LoraSlot(in, out, rank, 1.5, aFirst ? 3 : 5 + bElements, aFirst ? 8 + aElements : 2);
  }

  /** P, with parameters of others before, between and behind. */
  long parameters() {
    return slot().parameters() + 15;
  }
}
