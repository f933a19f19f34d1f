package dev.lethe.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A timed backend computes as before and knows what it has done. */
class TimedBackendTest {
  @Test
  void callsAreCountedByGroupAndMode() {
    try (Backend backend = Backends.select("reference", new BackendOptions(1, null, -1, true));
        Scope scope = backend.openScope("test")) {
      Tensor x = scope.allocate(backend.vectorType(), 5);
      backend.vectors().fill(x, 2);
      backend.vectors().fill(x, 3);
      assertEquals(Math.sqrt(45), backend.vectors().norm(x), 1e-12);
      List<KernelTime> times = backend.takeKernelTimes();
      assertEquals(
          List.of(1L, 2L), times.stream().map(KernelTime::calls).sorted().toList(), times.toString());
      assertTrue(times.stream().anyMatch(t -> t.kernel().equals("vectors.fill")), times.toString());
      assertTrue(times.stream().allMatch(t -> t.seconds() > 0), times.toString());
      assertEquals(List.of(), backend.takeKernelTimes(), "they were taken");
    }
  }

  @Test
  void refusalsComeThroughAsTheyAre() {
    try (Backend backend = Backends.select("reference", new BackendOptions(1, null, -1, true));
        Scope scope = backend.openScope("test")) {
      Tensor x = scope.allocate(backend.vectorType(), 5);
      Tensor y = scope.allocate(backend.vectorType(), 4);
      assertThrows(ArgumentException.class, () -> backend.vectors().axpy(1, x, y));
    }
  }

  @Test
  void backendsAreNotTimedUnlessAsked() {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
        Scope scope = backend.openScope("test")) {
      backend.vectors().fill(scope.allocate(backend.vectorType(), 5), 2);
      assertEquals(List.of(), backend.takeKernelTimes());
    }
  }
}
