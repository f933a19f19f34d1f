package dev.lethe.backend.reference;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;

/** Offers the {@link ReferenceBackend} to those who name it; never chosen automatically. */
public final class ReferenceProvider implements BackendProvider {
  @Override
  public String name() {
    return ReferenceBackend.NAME;
  }

  @Override
  public int priority() {
    return -1;
  }

  @Override
  public Availability availability(BackendOptions options) {
    return Availability.working(ReferenceBackend.DESCRIPTION, null);
  }

  @Override
  public Backend open(BackendOptions options) {
    return new ReferenceBackend();
  }
}
