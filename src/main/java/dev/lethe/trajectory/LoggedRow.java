package dev.lethe.trajectory;

/**
 * A row that training read.
 *
 * @param id its name in the data
 * @param hash keyed hash of its contents; empty for a row that was removed since
 */
public record LoggedRow(String id, String hash) {
  /** Whether the row was removed from the training by an earlier request. */
  public boolean removed() {
    return hash.isEmpty();
  }
}
