package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;

/** Offers the CPU backend, which works everywhere and is fast where the Vector API is enabled. */
public final class CpuBackendProvider implements BackendProvider {
  @Override
  public String name() {
    return CpuBackend.NAME;
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public Availability availability(BackendOptions options) {
    Primitives found = Primitives.best();
    return Availability.working("float32, " + found.detail(), found.remedy());
  }

  @Override
  public Backend open(BackendOptions options) {
    return new CpuBackend(Primitives.best(), options);
  }
}
