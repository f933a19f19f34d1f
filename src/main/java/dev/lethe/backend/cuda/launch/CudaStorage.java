package dev.lethe.backend.cuda.launch;

import dev.lethe.tensor.Storage;

/**
 * Device memory of a tensor.
 *
 * @param address aligned to 256 bytes
 * @param place the device's name
 * @param pool where it goes when it is freed
 */
record CudaStorage(long address, long byteSize, String place, CudaAllocator.Pool pool)
    implements Storage {}
