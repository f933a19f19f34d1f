package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.AttentionKernels.Primal;
import dev.lethe.backend.AttentionKernels.Tangents;
import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.Packing;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Causal attention with grouped heads: its four modes. */
final class AttentionChecks {
  private static final AttentionShape[] SHAPES = {
    new AttentionShape(1, 1, 4, 0),
    new AttentionShape(4, 2, 16, 0),
    new AttentionShape(6, 2, 10, 5),
    new AttentionShape(4, 2, 64, 0),
    new AttentionShape(2, 1, 128, 90)
  };
  private static final Packing[] PACKINGS = {
    Packing.ofLengths(1, 2),
    Packing.ofLengths(17, 1, 5),
    Packing.ofLengths(35),
    Packing.ofLengths(150, 1, 70),
    Packing.ofLengths(200)
  };
  private static final int K = 2;

  private AttentionChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of("attention", "forward", (s, i) -> new Call(s, SHAPES[i], PACKINGS[i]).forward()),
        of("attention", "decoding", (s, i) -> decoding(s, SHAPES[i])),
        of("attention", "tangent", (s, i) -> new Call(s, SHAPES[i], PACKINGS[i]).tangent()),
        of("attention", "backward", (s, i) -> new Call(s, SHAPES[i], PACKINGS[i]).backward()),
        of(
            "attention",
            "backward tangent",
            (s, i) -> new Call(s, SHAPES[i], PACKINGS[i]).backwardTangent()));
  }

  private static void decoding(Stage s, AttentionShape shape) {
    Packing query = Packing.ofLengths(1);
    Packing cache = Packing.ofLengths(19);
    s.backend.run(
        new AttentionKernels.Forward(
            shape,
            query,
            cache,
            new AttentionKernels.Primal(
                s.in(1, shape.queryWidth()),
                s.in(19, shape.keyWidth()),
                s.in(19, shape.keyWidth()),
                s.out(1, shape.queryWidth()),
                null)));
  }

  /** One shape; later modes take what the earlier ones of the same backend gave. */
  private record Call(Stage s, AttentionShape shape, Packing packing) {
    private long[] q(int... k) {
      return dims(shape.queryWidth(), k);
    }

    private long[] key(int... k) {
      return dims(shape.keyWidth(), k);
    }

    private long[] dims(long width, int... k) {
      return k.length == 0
          ? new long[] {packing.rows(), width}
          : new long[] {k[0], packing.rows(), width};
    }

    Primal forward() {
      Tensor o = s.out(q());
      Tensor lse = s.vectorOut(shape.heads(), packing.rows());
      Primal p = new Primal(s.in(q()), s.in(key()), s.in(key()), o, lse);
      s.backend.run(new AttentionKernels.Forward(shape, packing, packing, p));
      return p;
    }

    void tangent() {
      tangent(forward());
    }

    private Tangents tangent(Primal p) {
      Tangents t =
          new Tangents(
              s.in(q(K)),
              s.in(key(K)),
              s.in(key(K)),
              s.out(q(K)),
              s.vectorOut(K, shape.heads(), packing.rows()));
      s.backend.run(new AttentionKernels.Tangent(shape, packing, p, t));
      return t;
    }

    void backward() {
      backward(forward(), s.in(q(1)));
    }

    private Tensor backward(Primal p, Tensor gO) {
      Tensor delta = s.vectorOut(1, shape.heads(), packing.rows());
      s.backend.run(
          new AttentionKernels.Backward(
              shape,
              packing,
              p,
              gO,
              delta,
              new AttentionKernels.InputAdjoints(s.out(q(1)), s.out(key(1)), s.out(key(1)))));
      return delta;
    }

    void backwardTangent() {
      Primal p = forward();
      Tensor gO = s.in(q(1));
      Tensor delta = backward(p, gO);
      Tangents t = tangent(p);
      s.backend.run(
          new AttentionKernels.BackwardTangent(
              shape,
              packing,
              p,
              gO.row(0),
              delta.row(0),
              t,
              s.in(q(K)),
              new AttentionKernels.InputAdjoints(s.out(q(K)), s.out(key(K)), s.out(key(K)))));
    }
  }
}
