package dev.lethe.backend.reference;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;

/**
 * The reference against itself: guard zones, overwritten outputs, untouched inputs, equal bytes.
 */
final class ReferenceBackendTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return new ReferenceBackend();
  }
}
