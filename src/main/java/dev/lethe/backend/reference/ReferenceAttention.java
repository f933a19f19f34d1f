package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;
import java.util.function.Consumer;

/**
 * Causal attention, one row of scores at a time: one query of one head against the keys it sees.
 */
final class ReferenceAttention implements AttentionKernels {
  @Override
  public void forward(Forward call) {
    AttentionShape shape = call.shape();
    Primal p = call.p();
    DoubleMatrix qm = DoubleMatrix.of(p.q());
    DoubleMatrix km = DoubleMatrix.of(p.k());
    DoubleMatrix vm = DoubleMatrix.of(p.v());
    DoubleMatrix out = DoubleMatrix.zeros(p.o().dim(0), p.o().dim(1));
    DoubleMatrix logSums = DoubleMatrix.zeros(shape.heads(), p.o().dim(0));
    forEachRow(
        shape,
        call.queries(),
        call.keys(),
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
    out.store(p.o());
    if (p.lse() != null) {
      logSums.store(p.lse());
    }
  }

  @Override
  public void tangent(Tangent call) {
    AttentionShape shape = call.shape();
    Tangents t = call.t();
    long n = call.packing().rows();
    long directions = t.dO().dim(0);
    Inputs in = Inputs.of(call.p());
    for (int j = 0; j < directions; j++) {
      InputTangents d = InputTangents.of(shape, t.dq(), t.dk(), t.dv(), j, n);
      DoubleMatrix out = DoubleMatrix.zeros(n, shape.queryWidth());
      DoubleMatrix means = DoubleMatrix.zeros(shape.heads(), n);
      forEachRow(
          shape,
          call.packing(),
          call.packing(),
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
      out.store(t.dO().row(j));
      means.store(t.mu().row(j));
    }
  }

  @Override
  public void backward(Backward call) {
    AttentionShape shape = call.shape();
    long n = call.packing().rows();
    long directions = call.gO().dim(0);
    Inputs in = Inputs.of(call.p());
    double c = shape.scale();
    for (int j = 0; j < directions; j++) {
      DoubleMatrix g = DoubleMatrix.of(call.gO().row(j));
      InputTangents out = InputTangents.of(shape, null, null, null, j, n);
      DoubleMatrix deltas = DoubleMatrix.zeros(shape.heads(), n);
      forEachRow(
          shape,
          call.packing(),
          call.packing(),
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
      deltas.store(call.delta().row(j));
      out.store(call.in().gq().row(j), call.in().gk().row(j), call.in().gv().row(j));
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    AttentionShape shape = call.shape();
    Tangents t = call.t();
    long n = call.packing().rows();
    long width = shape.queryWidth();
    long directions = call.in().gq().dim(0);
    Inputs in = Inputs.of(call.p());
    DoubleMatrix g = DoubleMatrix.of(call.gO());
    DoubleMatrix deltas = DoubleMatrix.of(call.delta());
    for (int j = 0; j < directions; j++) {
      InputTangents d = InputTangents.of(shape, t.dq(), t.dk(), t.dv(), j, n);
      DoubleMatrix dOut = DoubleMatrix.of(t.dO().row(j));
      DoubleMatrix means = DoubleMatrix.of(t.mu().row(j));
      DoubleMatrix dg = DoubleMatrix.direction(call.dgO(), j, n, width);
      InputTangents out = InputTangents.of(shape, null, null, null, j, n);
      forEachRow(
          shape,
          call.packing(),
          call.packing(),
          row -> backwardTangentRow(row, shape.scale(), in, g, deltas, d, dOut, means, dg, out));
      out.store(call.in().gq().row(j), call.in().gk().row(j), call.in().gv().row(j));
    }
  }

  private static void backwardTangentRow(
      Row row,
      double c,
      Inputs in,
      DoubleMatrix g,
      DoubleMatrix deltas,
      InputTangents d,
      DoubleMatrix dOut,
      DoubleMatrix means,
      DoubleMatrix dg,
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
    double[] products(DoubleMatrix x, DoubleMatrix y, double c) {
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

    double queryDot(DoubleMatrix x, DoubleMatrix y) {
      return Slices.dot(x.values(), queryAt(x), y.values(), queryAt(y), size);
    }

    /** Adds a·(query row of x) to the query row of y. */
    void addQueryTo(double a, DoubleMatrix x, DoubleMatrix y) {
      Slices.addScaled(a, x.values(), queryAt(x), y.values(), queryAt(y), size);
    }

    /** Adds a·(key row i of x) to the query row of y. */
    void addKeyTo(double a, DoubleMatrix x, int i, DoubleMatrix y) {
      Slices.addScaled(a, x.values(), keyAt(x, i), y.values(), queryAt(y), size);
    }

    /** Adds a·(query row of x) to key row i of y. */
    void addQueryToKey(double a, DoubleMatrix x, DoubleMatrix y, int i) {
      Slices.addScaled(a, x.values(), queryAt(x), y.values(), keyAt(y, i), size);
    }

    double statistic(DoubleMatrix m) {
      return m.at(head, query);
    }

    void setStatistic(DoubleMatrix m, double value) {
      m.values()[head * m.cols() + query] = value;
    }

    private int queryAt(DoubleMatrix m) {
      return query * m.cols() + head * size;
    }

    private int keyAt(DoubleMatrix m, int i) {
      return (firstKey + i) * m.cols() + keyHead * size;
    }
  }

  private record Inputs(DoubleMatrix q, DoubleMatrix k, DoubleMatrix v, DoubleMatrix o, DoubleMatrix lse) {
    static Inputs of(Primal p) {
      return new Inputs(
          DoubleMatrix.of(p.q()),
          DoubleMatrix.of(p.k()),
          DoubleMatrix.of(p.v()),
          DoubleMatrix.of(p.o()),
          DoubleMatrix.of(p.lse()));
    }
  }

  /** Something that q, k and v have one each of: tangents, or adjoints being summed up. */
  private record InputTangents(DoubleMatrix q, DoubleMatrix k, DoubleMatrix v) {
    static InputTangents of(AttentionShape shape, Tensor q, Tensor k, Tensor v, int j, long n) {
      return new InputTangents(
          DoubleMatrix.direction(q, j, n, shape.queryWidth()),
          DoubleMatrix.direction(k, j, n, shape.keyWidth()),
          DoubleMatrix.direction(v, j, n, shape.keyWidth()));
    }

    void store(Tensor toQ, Tensor toK, Tensor toV) {
      q.store(toQ);
      k.store(toK);
      v.store(toV);
    }
  }
}
