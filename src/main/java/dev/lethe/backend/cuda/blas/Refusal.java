package dev.lethe.backend.cuda.blas;

/**
 * Why a way to multiply matrices is not taken.
 *
 * @param what a library, with its version or file
 * @param reason one clause
 */
public record Refusal(String what, String reason) {
  /** As in {@code libcublasLt.so.13: not found}. */
  @Override
  public String toString() {
    return what + ": " + reason;
  }
}
