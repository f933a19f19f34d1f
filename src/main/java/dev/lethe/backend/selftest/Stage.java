package dev.lethe.backend.selftest;

import dev.lethe.backend.Backend;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Where one kernel call is made: its arguments on one backend. Two stages of the same seed hold the same
 * numbers, rounded to the tested backend's format, whatever backend they are on.
 */
final class Stage implements AutoCloseable {
  final Backend backend;
  private final Scope scope;
  private final Random random;
  private final Formats formats;
  private final List<Tensor> outputs = new ArrayList<>();

  Stage(Backend backend, Formats formats, long seed) {
    this.backend = backend;
    this.formats = formats;
    this.random = new Random(seed);
    this.scope = backend.openScope("selftest");
  }

  /** The tested backend's formats, which inputs are rounded to. */
  record Formats(DType activation, DType vector) {
    static Formats of(Backend backend) {
      return new Formats(backend.productType(), backend.vectorType());
    }
  }

  /** Normal deviates in activation format. */
  Tensor in(long... dims) {
    return upload(backend.activationType(), normals(formats.activation, 1, dims), dims);
  }

  /** Normal deviates in vector format. */
  Tensor vector(long... dims) {
    return upload(backend.vectorType(), normals(formats.vector, 1, dims), dims);
  }

  /** Normal deviates in bfloat16, whatever the backend's formats are. */
  Tensor bf16(long... dims) {
    return upload(DType.BF16, normals(DType.BF16, 1, dims), dims);
  }

  /** Given numbers in activation format. */
  Tensor given(double[] values, long... dims) {
    return upload(backend.activationType(), Tensor.of(Shape.of(dims), values), dims);
  }

  /** An output in activation format, to be compared; starts as NaN. */
  Tensor out(long... dims) {
    return output(backend.activationType(), Double.NaN, dims);
  }

  /** An output in vector format, to be compared; starts as NaN. */
  Tensor vectorOut(long... dims) {
    return output(backend.vectorType(), Double.NaN, dims);
  }

  /** An output in vector format that the kernel adds to; starts at 0.5. */
  Tensor sum(long... dims) {
    return output(backend.vectorType(), 0.5, dims);
  }

  /** Indices, to be compared. */
  Tensor indexOut(long... dims) {
    return output(DType.I32, Integer.MAX_VALUE, dims);
  }

  /** I32 numbers. */
  Tensor indices(int... values) {
    Tensor target = scope.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), target);
    return target;
  }

  /** n random indices below the bound. */
  Tensor randomIndices(int n, int bound) {
    return indices(random.ints(n, 0, bound).toArray());
  }

  /** A frozen weight with a bias, scaled so that products stay near one. */
  FrozenLinear frozen(int outputs, int inputs) {
    double deviation = 1 / Math.sqrt(inputs);
    Tensor weight = Tensor.of(Shape.of(outputs, inputs), weights(deviation, outputs, inputs));
    Tensor bias = Tensor.of(Shape.of(outputs), weights(1, outputs));
    return backend.freezeLinear(weight, bias, true, scope);
  }

  Scope scope() {
    return scope;
  }

  /** Host numbers in the format that both sides round weights to. */
  double[] weights(double deviation, long... dims) {
    return normals(formats.activation, deviation, dims).toDoubles();
  }

  /** What the kernel wrote, output by output. */
  List<double[]> results() {
    List<double[]> results = new ArrayList<>();
    for (Tensor output : outputs) {
      double[] values = new double[Math.toIntExact(output.elements())];
      backend.download(output, Tensor.of(output.shape(), values));
      results.add(values);
    }
    return results;
  }

  @Override
  public void close() {
    scope.close();
  }

  private Tensor output(DType dtype, double start, long... dims) {
    double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
    java.util.Arrays.fill(values, start);
    Tensor target = upload(dtype, Tensor.of(Shape.of(dims), values), dims);
    outputs.add(target);
    return target;
  }

  private Tensor upload(DType dtype, Tensor host, long... dims) {
    Tensor target = scope.allocate(dtype, dims);
    backend.upload(host, target);
    return target;
  }

  private Tensor normals(DType rounding, double deviation, long... dims) {
    Shape shape = Shape.of(dims);
    double[] values = new double[Math.toIntExact(shape.elements())];
    for (int i = 0; i < values.length; i++) {
      double value = deviation * random.nextGaussian();
      values[i] =
          switch (rounding) {
            case F32 -> (float) value;
            case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) value));
            case BF16 -> DType.bf16ToFloat(DType.floatToBf16((float) value));
            default -> value;
          };
    }
    return Tensor.of(shape, values);
  }
}
