package dev.lethe.bench.predict;

/** What an H200 SXM does in a second, and what is lost around it: the constants of the model, each with its source. */
public enum H200 {
  MULTIPROCESSORS(132, "1", "NVIDIA H100 white paper, GH100 in the SXM5 form"),
  SCHEDULERS(4, "a multiprocessor", "CUDA C++ Programming Guide: compute capability 9.0, an instruction a clock each"),
  CLOCK(1.85e9, "1/s", "assumed: below the most, 1.98 GHz, as power allows under load"),
  MEMORY(4.3e12, "B/s", "measured copy on an H200 (performance study of 2026-11-22); data sheet: 4.8e12"),
  L2_CACHE(60e6, "B", "performance study of 2026-11-22; the white paper says 50 MB of H100"),
  SHARED_MEMORY(128, "B a clock and multiprocessor", "CUDA C++ Programming Guide: 32 banks of 4 bytes"),
  TENSOR_PEAK(790e12, "FLOP/s", "measured bfloat16 product of 8192 cubed (the same study); data sheet: 989e12"),
  TENSOR_LAYER_SHARE(0.93, "of the peak", "assumed for depths of 2,048 and more: 735e12"),
  MMA_SYNC(0.62, "of the data sheet's 4096 FLOP a clock and multiprocessor",
      "Luo and others, arXiv:2402.13499, microbenchmarks of mma.sync and wgmma on Hopper"),
  TILE_ROWS(128, "rows and columns", "the usual tile of cuBLAS's bfloat16 kernels on Hopper"),
  DEPTH_PARTS(8, "at most", "assumed: parts into which cuBLAS cuts the depth of a product with few tiles"),
  STREAM_SHARE(0.88, "of the memory's rate", "Liger-Kernel's SwiGLU on H100: 2.94 of 3.35e12 B/s"),
  SKINNY_SHARE(0.80, "of the memory's rate", "assumed for products with 16 to 48 columns"),
  ISSUE_SHARE_12_WARPS(0.70, "of the issue slots", "assumed where 12 warps share a multiprocessor"),
  ISSUE_SHARE_8_WARPS(0.62, "of the issue slots", "assumed where 8 warps do: fewer to hide latency with"),
  GAP(1.1e-6, "s a launch", "assumed between dependent kernels of one stream or graph"),
  RAMP(2.0e-6, "s a kernel", "assumed: from the first block's start to full rate, and the last block's tail");

  private final double value;
  private final String unit;
  private final String source;

  H200(double value, String unit, String source) {
    this.value = value;
    this.unit = unit;
    this.source = source;
  }

  /** In its unit. */
  public double value() {
    return value;
  }

  /** Of what. */
  public String unit() {
    return unit;
  }

  /** Where the number comes from; "assumed" begins those that nobody measured. */
  public String source() {
    return source;
  }
}
