package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.RealData;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.VectorKernels.AdamW;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * RoPE, attention and AdamW against the published snapshots of Stanford CS336's first assignment;
 * skips where the real inputs are absent.
 */
final class PublishedNumbersTest {
  private static final Backend BACKEND = new ReferenceBackend();

  private static final String FOLDER = "ref_cs336/";

  /**
   * The published form turns neighbours (2i, 2i+1); ours turns (i, i+32) of the permuted vector.
   */
  @Test
  void rope() throws IOException {
    Tensor input = halfSplit(load("rope_input_4x12x64_f32le.bin", 48, 64));
    Tensor expected = halfSplit(load("rope_expected_4x12x64_f32le.bin", 48, 64));
    double theta = cases().at("/rope/theta").asDouble();
    double tolerance = cases().at("/rope/atol").asDouble();
    assertEquals("interleaved", cases().at("/rope/layout").asString());
    Tensor cos = Flat.zeros(12, 32);
    Tensor sin = Flat.zeros(12, 32);
    for (int i = 0; i < 12 * 32; i++) {
      double angle = (i / 32) * Math.pow(theta, -(i % 32) / 32.0);
      cos.set(i, Math.cos(angle));
      sin.set(i, Math.sin(angle));
    }
    int[] positions = new int[48];
    for (int i = 0; i < 48; i++) {
      positions[i] = i % 12;
    }
    RopeTable table = new RopeTable(cos, sin, 64);
    BACKEND.run(new RopeKernels.Rotate(table, Tensor.of(Shape.of(48), positions), input, false));
    assertArrayEquals(expected.toDoubles(), input.toDoubles(), tolerance);
  }

  /** Any mask is causal for a query that stands after exactly the keys that it may attend to. */
  @Test
  void maskedAttention() throws IOException {
    Tensor q = load("sdpa_q_4x12x64_f32le.bin", 48, 64);
    Tensor k = load("sdpa_k_4x16x64_f32le.bin", 64, 64);
    Tensor v = load("sdpa_v_4x16x64_f32le.bin", 64, 64);
    Tensor mask = load("sdpa_mask_4x12x16_f32le.bin", 48, 16);
    Tensor expected = load("sdpa_expected_4x12x64_f32le.bin", 48, 64);
    double tolerance = cases().at("/sdpa/atol").asDouble();
    AttentionShape shape = new AttentionShape(1, 1, 64, 0);
    for (int query = 0; query < 48; query++) {
      int[] seen = seenKeys(mask.row(query), query / 12 * 16);
      Tensor indices = Tensor.of(Shape.of(seen.length), seen);
      Tensor seenK = Flat.zeros(seen.length, 64);
      Tensor seenV = Flat.zeros(seen.length, 64);
      BACKEND.run(new RowKernels.Gather(indices, k, seenK));
      BACKEND.run(new RowKernels.Gather(indices, v, seenV));
      Tensor o = Flat.zeros(1, 64);
      Packing one = Packing.ofLengths(1);
      Packing keys = Packing.ofLengths(seen.length);
      BACKEND.run(
          new AttentionKernels.Forward(
              shape,
              one,
              keys,
              new AttentionKernels.Primal(q.slice(query, 1), seenK, seenV, o, null)));
      String what = "query " + query;
      assertArrayEquals(expected.row(query).toDoubles(), o.toDoubles(), tolerance, what);
    }
  }

  /** A thousand steps of a linear model on given inputs. */
  @Test
  void adamW() throws IOException {
    JsonNode published = cases().get("adamw");
    int steps = published.get("steps").asInt();
    Tensor inputs = load("adamw_inputs_1000x3_f32le.bin", steps, 3);
    AdamW options =
        new AdamW(
            published.at("/betas/0").asDouble(),
            published.at("/betas/1").asDouble(),
            published.get("eps").asDouble(),
            published.get("weight_decay").asDouble());
    double learningRate = published.get("lr").asDouble();
    Tensor w = matrix(published.get("W0"));
    Tensor m = Flat.zeros(2, 3);
    Tensor v = Flat.zeros(2, 3);
    for (int step = 1; step <= steps; step++) {
      Tensor g = squaredErrorGradient(w, inputs.row(step - 1).toDoubles());
      BACKEND.vectors().adamW(options, learningRate, step, w, g, m, v);
    }
    double[] expected = matrix(published.get("expected_W")).toDoubles();
    assertArrayEquals(expected, w.toDoubles(), published.get("atol").asDouble());
  }

  /** Of ‖Wx − (x₀+x₁, −x₂)‖². */
  private static Tensor squaredErrorGradient(Tensor w, double[] x) {
    double[] target = {x[0] + x[1], -x[2]};
    Tensor g = Flat.zeros(2, 3);
    for (int row = 0; row < 2; row++) {
      double error = -target[row];
      for (int i = 0; i < 3; i++) {
        error += w.get(3 * row + i) * x[i];
      }
      for (int i = 0; i < 3; i++) {
        g.set(3 * row + i, 2 * error * x[i]);
      }
    }
    return g;
  }

  private static int[] seenKeys(Tensor mask, int firstKey) {
    int[] keys = new int[16];
    int count = 0;
    for (int key = 0; key < 16; key++) {
      if (mask.get(key) != 0) {
        keys[count++] = firstKey + key;
      }
    }
    return Arrays.copyOf(keys, count);
  }

  /** Rows of neighbouring pairs, with all first elements before all second ones. */
  private static Tensor halfSplit(Tensor rows) {
    Tensor split = Flat.zeros(rows.dim(0), 64);
    for (int n = 0; n < rows.dim(0); n++) {
      for (int i = 0; i < 64; i++) {
        split.row(n).set(i / 2 + (i % 2) * 32, rows.row(n).get(i));
      }
    }
    return split;
  }

  private static Tensor matrix(JsonNode rows) {
    Tensor matrix = Flat.zeros(rows.size(), rows.get(0).size());
    long at = 0;
    for (JsonNode row : rows) {
      for (JsonNode value : row) {
        matrix.set(at++, value.asDouble());
      }
    }
    return matrix;
  }

  private static JsonNode cases() throws IOException {
    return new JsonMapper().readTree(Files.readString(RealData.require(FOLDER + "cases.json")));
  }

  private static Tensor load(String file, long rows, long cols) throws IOException {
    byte[] bytes = Files.readAllBytes(RealData.require(FOLDER + file));
    Tensor wide = Flat.zeros(rows, cols);
    Shape shape = Shape.of(rows, cols);
    wide.copyFrom(Tensor.view(MemorySegment.ofArray(bytes), DType.F32, shape));
    return wide;
  }
}
