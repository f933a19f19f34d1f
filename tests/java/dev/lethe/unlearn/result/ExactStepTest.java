package dev.lethe.unlearn.result;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ExactStepTest {
  private static final int SIZE = 1001;

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void takenBackItLeavesNoTrace(DType type) {
    for (double size : new double[] {1e-8, 1e-3, 1, 1e8}) {
      Tensor before = vector(type, 1, 7);
      Tensor after = HostTensors.copy(before);
      Tensor move = vector(type, size, 11);
      for (int i = 0; i < SIZE; i++) {
        after.set(i, after.get(i) + move.get(i));
      }
      ExactStep step = ExactStep.between(before, after);
      Tensor walked = HostTensors.copy(before);
      step.add(walked);
      assertArrayEquals(bytes(after), bytes(walked), type + " there, size " + size);
      assertTrue(step.subtract(walked), "it knows where it led to");
      assertArrayEquals(bytes(before), bytes(walked), type + " and back, size " + size);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void itNeedsToRememberWhereTheStepIsLarge(DType type) {
    Tensor before = vector(type, 1e-6, 3);
    Tensor after = vector(type, 1e6, 4);
    ExactStep step = ExactStep.between(before, after);
    assertTrue(step.undoIndex().length > SIZE / 2, "plain subtraction loses much here");
    Tensor walked = HostTensors.copy(after);
    assertTrue(step.subtract(walked));
    assertArrayEquals(bytes(before), bytes(walked));
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void fromElsewhereItIsPlainArithmetic(DType type) {
    Tensor before = vector(type, 1, 5);
    Tensor after = vector(type, 1, 6);
    ExactStep step = ExactStep.between(before, after);
    Tensor elsewhere = vector(type, 1, 8);
    double expected = elsewhere.get(17) - step.delta().get(17);
    assertFalse(step.subtract(elsewhere));
    assertEquals(expected, elsewhere.get(17), 1e-6);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F64"})
  void negativeZerosSurvive(DType type) {
    Tensor before = HostTensors.zeros(type, 3);
    before.set(1, -0.0);
    Tensor after = HostTensors.copy(before);
    after.set(2, 1);
    ExactStep step = ExactStep.between(before, after);
    Tensor walked = HostTensors.copy(before);
    step.add(walked);
    assertTrue(step.subtract(walked));
    assertArrayEquals(bytes(before), bytes(walked));
  }

  private static Tensor vector(DType type, double size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Tensor vector = HostTensors.zeros(type, SIZE);
    for (int i = 0; i < SIZE; i++) {
      vector.set(i, size * random.nextGaussian());
    }
    return vector;
  }

  private static byte[] bytes(Tensor tensor) {
    return tensor.segment().toArray(ValueLayout.JAVA_BYTE);
  }
}
