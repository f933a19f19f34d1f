package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;
import java.util.function.Consumer;

/**
 * Causal attention, one row of scores at a time: one query of one head against the keys it sees.
 */
final class ReferenceAttention implements AttentionKernels {
  @Override
  public void forward(
      AttentionShape shape,
      Packing queries,
      Packing keys,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse) {
    requireForward(shape, queries, keys, q, k, v, o, lse);
    Matrix qm = Matrix.of(q);
    Matrix km = Matrix.of(k);
    Matrix vm = Matrix.of(v);
    Matrix out = Matrix.zeros(o.dim(0), o.dim(1));
    Matrix logSums = Matrix.zeros(shape.heads(), o.dim(0));
    forEachRow(
        shape,
        queries,
        keys,
        row -> {
          double[] s = row.products(qm, km, shape.scale());
          double max = Double.NEGATIVE_INFINITY;
          for (double score : s) {
            max = Math.max(max, score);
          }
          double sum = 0;
          for (double score : s) {
            sum += Math.exp(score - max);
          }
          double logSum = max + Math.log(sum);
          row.setStatistic(logSums, logSum);
          for (int i = 0; i < s.length; i++) {
            row.addKeyTo(Math.exp(s[i] - logSum), vm, i, out);
          }
        });
    out.store(o);
    if (lse != null) {
      logSums.store(lse);
    }
  }

  @Override
  public void tangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor dq,
      Tensor dk,
      Tensor dv,
      Tensor dO,
      Tensor mu) {
    long n = requirePrimal("attention.tangent", shape, packing, p);
    Require.rank("attention.tangent: dO", dO, 3);
    long directions = dO.dim(0);
    Require.tensor("attention.tangent: dO", dO, F64, directions, n, shape.queryWidth());
    Require.tensor("attention.tangent: mu", mu, F64, directions, shape.heads(), n);
    requireInputTangents("attention.tangent", shape, directions, n, dq, dk, dv);
    Inputs in = Inputs.of(p);
    for (int j = 0; j < directions; j++) {
      InputTangents d = InputTangents.of(shape, dq, dk, dv, j, n);
      Matrix out = Matrix.zeros(n, shape.queryWidth());
      Matrix means = Matrix.zeros(shape.heads(), n);
      forEachRow(
          shape,
          packing,
          packing,
          row -> {
            double[] probability = row.probabilities(in, shape.scale());
            double[] ds = row.scoreTangents(in, d, shape.scale());
            double m = Slices.dot(probability, 0, ds, 0, ds.length);
            row.setStatistic(means, m);
            row.addQueryTo(-m, in.o, out);
            for (int i = 0; i < ds.length; i++) {
              row.addKeyTo(probability[i] * ds[i], in.v, i, out);
              row.addKeyTo(probability[i], d.v, i, out);
            }
          });
      out.store(dO.row(j));
      means.store(mu.row(j));
    }
  }

  @Override
  public void backward(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tensor gq,
      Tensor gk,
      Tensor gv) {
    long n = requirePrimal("attention.backward", shape, packing, p);
    Require.rank("attention.backward: gO", gO, 3);
    long directions = gO.dim(0);
    Require.tensor("attention.backward: gO", gO, F64, directions, n, shape.queryWidth());
    Require.tensor("attention.backward: delta", delta, F64, directions, shape.heads(), n);
    requireInputAdjoints("attention.backward", shape, directions, n, gq, gk, gv);
    Inputs in = Inputs.of(p);
    double c = shape.scale();
    for (int j = 0; j < directions; j++) {
      Matrix g = Matrix.of(gO.row(j));
      InputTangents out = InputTangents.of(shape, null, null, null, j, n);
      Matrix deltas = Matrix.zeros(shape.heads(), n);
      forEachRow(
          shape,
          packing,
          packing,
          row -> {
            double[] probability = row.probabilities(in, c);
            double[] gp = row.products(g, in.v, 1);
            double d = row.queryDot(g, in.o);
            row.setStatistic(deltas, d);
            for (int i = 0; i < gp.length; i++) {
              double gs = probability[i] * (gp[i] - d);
              row.addKeyTo(c * gs, in.k, i, out.q);
              row.addQueryToKey(c * gs, in.q, out.k, i);
              row.addQueryToKey(probability[i], g, out.v, i);
            }
          });
      deltas.store(delta.row(j));
      out.store(gq.row(j), gk.row(j), gv.row(j));
    }
  }

  @Override
  public void backwardTangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangent t,
      Tensor dgO,
      Tensor dgq,
      Tensor dgk,
      Tensor dgv) {
    long n = requirePrimal("attention.backwardTangent", shape, packing, p);
    long width = shape.queryWidth();
    Require.rank("attention.backwardTangent: dgq", dgq, 3);
    long directions = dgq.dim(0);
    requireInputAdjoints("attention.backwardTangent", shape, directions, n, dgq, dgk, dgv);
    Require.tensor("attention.backwardTangent: gO", gO, F64, n, width);
    Require.tensor("attention.backwardTangent: delta", delta, F64, shape.heads(), n);
    Require.tensor("attention.backwardTangent: t.dO", t.dO(), F64, directions, n, width);
    Require.tensor("attention.backwardTangent: t.mu", t.mu(), F64, directions, shape.heads(), n);
    requireInputTangents("attention.backwardTangent", shape, directions, n, t.dq(), t.dk(), t.dv());
    Require.tensorOrNull("attention.backwardTangent: dgO", dgO, F64, directions, n, width);
    Inputs in = Inputs.of(p);
    Matrix g = Matrix.of(gO);
    Matrix deltas = Matrix.of(delta);
    for (int j = 0; j < directions; j++) {
      InputTangents d = InputTangents.of(shape, t.dq(), t.dk(), t.dv(), j, n);
      Matrix dOut = Matrix.of(t.dO().row(j));
      Matrix means = Matrix.of(t.mu().row(j));
      Matrix dg = Matrix.direction(dgO, j, n, width);
      InputTangents out = InputTangents.of(shape, null, null, null, j, n);
      forEachRow(
          shape,
          packing,
          packing,
          row -> backwardTangentRow(row, shape.scale(), in, g, deltas, d, dOut, means, dg, out));
      out.store(dgq.row(j), dgk.row(j), dgv.row(j));
    }
  }

  private static void backwardTangentRow(
      Row row,
      double c,
      Inputs in,
      Matrix g,
      Matrix deltas,
      InputTangents d,
      Matrix dOut,
      Matrix means,
      Matrix dg,
      InputTangents out) {
    double[] probability = row.probabilities(in, c);
    double[] ds = row.scoreTangents(in, d, c);
    double[] gp = row.products(g, in.v, 1);
    double[] dgV = row.products(dg, in.v, 1);
    double[] gdV = row.products(g, d.v, 1);
    double mean = row.statistic(means);
    double delta = row.statistic(deltas);
    double dDelta = row.queryDot(dg, in.o) + row.queryDot(g, dOut);
    for (int i = 0; i < ds.length; i++) {
      double dp = probability[i] * (ds[i] - mean);
      double gs = probability[i] * (gp[i] - delta);
      double dgs = dp * (gp[i] - delta) + probability[i] * (dgV[i] + gdV[i] - dDelta);
      row.addKeyTo(c * dgs, in.k, i, out.q);
      row.addKeyTo(c * gs, d.k, i, out.q);
      row.addQueryToKey(c * dgs, in.q, out.k, i);
      row.addQueryToKey(c * gs, d.q, out.k, i);
      row.addQueryToKey(dp, g, out.v, i);
      row.addQueryToKey(probability[i], dg, out.v, i);
    }
  }

  private static void forEachRow(
      AttentionShape shape, Packing queries, Packing keys, Consumer<Row> action) {
    for (int sequence = 0; sequence < queries.count(); sequence++) {
      int before = keys.length(sequence) - queries.length(sequence);
      for (int head = 0; head < shape.heads(); head++) {
        for (int i = 0; i < queries.length(sequence); i++) {
          int position = before + i;
          int firstKey = shape.firstKey(position);
          action.accept(
              new Row(
                  head,
                  head / shape.group(),
                  shape.headSize(),
                  queries.start(sequence) + i,
                  keys.start(sequence) + firstKey,
                  position + 1 - firstKey));
        }
      }
    }
  }

  /**
   * One query of one head and the keys that it sees; rows are those of the packed batch, and keys
   * are counted from the first that is seen.
   */
  private record Row(int head, int keyHead, int size, int query, int firstKey, int keyCount) {
    /** c·(query row of x)·(key row of y) for each key. */
    double[] products(Matrix x, Matrix y, double c) {
      double[] products = new double[keyCount];
      for (int i = 0; i < keyCount; i++) {
        products[i] = c * Slices.dot(x.values(), queryAt(x), y.values(), keyAt(y, i), size);
      }
      return products;
    }

    /** P = exp(S − L). */
    double[] probabilities(Inputs in, double c) {
      double[] p = products(in.q, in.k, c);
      double logSum = statistic(in.lse);
      for (int i = 0; i < keyCount; i++) {
        p[i] = Math.exp(p[i] - logSum);
      }
      return p;
    }

    /** Ṡ = c(Q̇Kᵀ + QK̇ᵀ). */
    double[] scoreTangents(Inputs in, InputTangents d, double c) {
      double[] ds = products(d.q, in.k, c);
      double[] other = products(in.q, d.k, c);
      Slices.addScaled(1, other, 0, ds, 0, keyCount);
      return ds;
    }

    double queryDot(Matrix x, Matrix y) {
      return Slices.dot(x.values(), queryAt(x), y.values(), queryAt(y), size);
    }

    /** Adds a·(query row of x) to the query row of y. */
    void addQueryTo(double a, Matrix x, Matrix y) {
      Slices.addScaled(a, x.values(), queryAt(x), y.values(), queryAt(y), size);
    }

    /** Adds a·(key row i of x) to the query row of y. */
    void addKeyTo(double a, Matrix x, int i, Matrix y) {
      Slices.addScaled(a, x.values(), keyAt(x, i), y.values(), queryAt(y), size);
    }

    /** Adds a·(query row of x) to key row i of y. */
    void addQueryToKey(double a, Matrix x, Matrix y, int i) {
      Slices.addScaled(a, x.values(), queryAt(x), y.values(), keyAt(y, i), size);
    }

    double statistic(Matrix m) {
      return m.at(head, query);
    }

    void setStatistic(Matrix m, double value) {
      m.values()[head * m.cols() + query] = value;
    }

    private int queryAt(Matrix m) {
      return query * m.cols() + head * size;
    }

    private int keyAt(Matrix m, int i) {
      return (firstKey + i) * m.cols() + keyHead * size;
    }
  }

  private record Inputs(Matrix q, Matrix k, Matrix v, Matrix o, Matrix lse) {
    static Inputs of(Primal p) {
      return new Inputs(
          Matrix.of(p.q()),
          Matrix.of(p.k()),
          Matrix.of(p.v()),
          Matrix.of(p.o()),
          Matrix.of(p.lse()));
    }
  }

  /** Something that q, k and v have one each of: tangents, or adjoints being summed up. */
  private record InputTangents(Matrix q, Matrix k, Matrix v) {
    static InputTangents of(AttentionShape shape, Tensor q, Tensor k, Tensor v, int j, long n) {
      return new InputTangents(
          Matrix.direction(q, j, n, shape.queryWidth()),
          Matrix.direction(k, j, n, shape.keyWidth()),
          Matrix.direction(v, j, n, shape.keyWidth()));
    }

    void store(Tensor toQ, Tensor toK, Tensor toV) {
      q.store(toQ);
      k.store(toK);
      v.store(toV);
    }
  }

  private static void requireForward(
      AttentionShape shape,
      Packing queries,
      Packing keys,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse) {
    long n = queries.rows();
    Require.tensor("attention.forward: q", q, F64, n, shape.queryWidth());
    Require.tensor("attention.forward: o", o, F64, n, shape.queryWidth());
    Require.tensorOrNull("attention.forward: lse", lse, F64, shape.heads(), n);
    Require.rank("attention.forward: k", k, 2);
    Require.tensor(
        "attention.forward: k", k, F64, Math.max(keys.rows(), k.dim(0)), shape.keyWidth());
    Require.rank("attention.forward: v", v, 2);
    Require.tensor(
        "attention.forward: v", v, F64, Math.max(keys.rows(), v.dim(0)), shape.keyWidth());
    Require.that(
        keys.count() == queries.count(),
        "attention.forward: keys",
        queries.count() + " sequences",
        keys);
    for (int i = 0; i < queries.count(); i++) {
      Require.that(
          keys.length(i) >= queries.length(i),
          "attention.forward: keys of sequence " + i,
          "at least " + queries.length(i),
          keys.length(i));
    }
  }

  private static long requirePrimal(
      String operation, AttentionShape shape, Packing packing, Primal p) {
    long n = packing.rows();
    Require.tensor(operation + ": q", p.q(), F64, n, shape.queryWidth());
    Require.tensor(operation + ": k", p.k(), F64, n, shape.keyWidth());
    Require.tensor(operation + ": v", p.v(), F64, n, shape.keyWidth());
    Require.tensor(operation + ": o", p.o(), F64, n, shape.queryWidth());
    Require.tensor(operation + ": lse", p.lse(), F64, shape.heads(), n);
    return n;
  }

  private static void requireInputTangents(
      String operation, AttentionShape shape, long k, long n, Tensor dq, Tensor dk, Tensor dv) {
    Require.tensorOrNull(operation + ": dq", dq, F64, k, n, shape.queryWidth());
    Require.tensorOrNull(operation + ": dk", dk, F64, k, n, shape.keyWidth());
    Require.tensorOrNull(operation + ": dv", dv, F64, k, n, shape.keyWidth());
  }

  private static void requireInputAdjoints(
      String operation, AttentionShape shape, long k, long n, Tensor gq, Tensor gk, Tensor gv) {
    Require.tensor(operation + ": adjoint of q", gq, F64, k, n, shape.queryWidth());
    Require.tensor(operation + ": adjoint of k", gk, F64, k, n, shape.keyWidth());
    Require.tensor(operation + ": adjoint of v", gv, F64, k, n, shape.keyWidth());
  }
}
