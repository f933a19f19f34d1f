package dev.lethe.backend.cuda.driver;

import java.util.Set;
import jcuda.driver.CUresult;

/** Result codes of the driver. */
final class Result {
  static final int SUCCESS = CUresult.CUDA_SUCCESS;
  static final int OUT_OF_MEMORY = CUresult.CUDA_ERROR_OUT_OF_MEMORY;
  static final int NO_DEVICE = CUresult.CUDA_ERROR_NO_DEVICE;

  /** After these, every call on the context fails until the process ends. */
  private static final Set<Integer> CONTEXT_IS_LOST =
      Set.of(
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED);

  /** The driver cannot read a fatbin, or finds nothing in it for this GPU. */
  private static final Set<Integer> KERNELS_DO_NOT_FIT =
      Set.of(
          CUresult.CUDA_ERROR_INVALID_IMAGE,
          CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU,
          CUresult.CUDA_ERROR_INVALID_PTX,
          CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
          CUresult.CUDA_ERROR_INVALID_SOURCE);

  private Result() {}

  static boolean contextIsLost(int code) {
    return CONTEXT_IS_LOST.contains(code);
  }

  /** A call that a stream which records does not allow. */
  static boolean breaksRecording(int code) {
    return code >= CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
        && code <= CUresult.CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
  }

  static boolean kernelsDoNotFit(int code) {
    return KERNELS_DO_NOT_FIT.contains(code);
  }

  /** As in {@code CUDA_ERROR_ILLEGAL_ADDRESS (700)}. */
  static String name(int code) {
    String name = CUresult.stringFor(code);
    return (name.startsWith("INVALID") ? "CUDA error" : name) + " (" + code + ")";
  }
}
