package dev.lethe.backend;

/**
 * A frozen linear layer and the adapter on it.
 *
 * @param slot the adapter's place, or null where the layer has none
 */
public record LoraLinear(FrozenLinear weight, LoraSlot slot) {
  public boolean hasAdapter() {
    return slot != null;
  }
}
