package dev.lethe.backend.cuda.blas;

/** One of NVIDIA's libraries does not do what it was asked for; the message is one clause. */
final class CublasFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  CublasFailure(String message) {
    super(message);
  }

  /** Throws where a call failed. */
  static void require(int status, String what) {
    if (status != Vendor.CUBLAS_STATUS_SUCCESS) {
      throw new CublasFailure(what + " failed: " + Vendor.statusName(status));
    }
  }
}
