package dev.lethe.tensor;

/** A piece of memory that tensors lie in: host memory here, device memory in a device's backend. */
public interface Storage {
  /** Size in bytes. */
  long byteSize();

  /** Where it lies, for error messages: {@code "host"}, {@code "cuda:0"}. */
  String place();
}
