package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.ContractRun.Suite;
import dev.lethe.tensor.DType;
import java.util.List;

/**
 * A mistake that somebody could make in a kernel, and the contract cases that must notice it.
 *
 * @param file of {@code kernels/}
 * @param text what stands there once
 * @param replacement what stands there with the mistake
 */
record KernelMutant(Kind kind, String file, String text, String replacement, Suite suite) {
  /** Guard zones after which buffers begin at multiples of 16 bytes, or of their element only. */
  private static final int ALIGNED = 64;

  private static final int UNALIGNED = 13;

  enum Kind {
    BARRIER_REMOVED,
    WAIT_TOO_SHORT,
    INDEX_SHIFTED,
    MASK_OFF_BY_ONE,
    SIGN_FLIPPED,
    TERM_LOST,
    SUMS_TOO_NARROW
  }

  @Override
  public String toString() {
    return "%s in %s: %s".formatted(kind, file, text.strip().replaceAll("\\s+", " "));
  }

  private static KernelMutant of(
      Kind kind,
      String file,
      String text,
      String replacement,
      String contract,
      DType type,
      int guard,
      String cases) {
    return new KernelMutant(
        kind, file, text, replacement, new Suite(contract, type, guard, cases));
  }

  /** Every file with barriers, every mode of attention, and what else is easily got wrong. */
  static final List<KernelMutant> ALL =
      List.of(
          of(
              Kind.BARRIER_REMOVED,
              "attention_forward.cu",
              "    copy_async_wait<1>();\n    __syncthreads();\n",
              "    copy_async_wait<1>();\n",
              "attention",
              BF16,
              ALIGNED,
              "heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.BARRIER_REMOVED,
              "attention_forward.cu",
              "s, k_tile + Other::ELEMENTS);\n    __syncthreads();\n",
              "s, k_tile + Other::ELEMENTS);\n",
              "attention",
              BF16,
              ALIGNED,
              "headSize=64, window=0], tiles"),
          of(
              Kind.WAIT_TOO_SHORT,
              "attention_tangent.cu",
              "copy_async_wait<1>();",
              "copy_async_wait<2>();",
              "attentionDerivatives",
              BF16,
              ALIGNED,
              "attention.tangent Setting[shape=AttentionShape[heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.SIGN_FLIPPED,
              "attention_tangent.cu",
              "sums[j][e] -= mean[e / 2]",
              "sums[j][e] += mean[e / 2]",
              "attentionDerivatives",
              BF16,
              UNALIGNED,
              "attention.tangent Setting[shape=AttentionShape[heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.BARRIER_REMOVED,
              "attention_query_gradient.cu",
              "    __syncthreads();\n  }\n  store_rows",
              "  }\n  store_rows",
              "attentionDerivatives",
              BF16,
              ALIGNED,
              "attention.backward Setting[shape=AttentionShape[heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.BARRIER_REMOVED,
              "attention_key_gradient.cu",
              "      __syncthreads();\n    }\n  }\n  store_rows",
              "    }\n  }\n  store_rows",
              "attentionDerivatives",
              BF16,
              ALIGNED,
              "attention.backwardTangent Setting[shape=AttentionShape[heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.INDEX_SHIFTED,
              "attention_key_gradient.cu",
              "head < (blockIdx.y + 1) * group; head++",
              "head < (blockIdx.y + 1) * group; head += 2",
              "attentionDerivatives",
              BF16,
              ALIGNED,
              "attention.backward Setting[shape=AttentionShape[heads=2, keyHeads=1, headSize=64"),
          of(
              Kind.MASK_OFF_BY_ONE,
              "attention.cuh",
              "last_key(query) - window + 1)",
              "last_key(query) - window)",
              "attention",
              BF16,
              UNALIGNED,
              "window=40"),
          of(
              Kind.TERM_LOST,
              "attention.cuh",
              "dp * (gp - row.delta) + p * (dgp - row.ddelta)",
              "dp * (gp - row.delta) + p * dgp",
              "attentionDerivatives",
              BF16,
              ALIGNED,
              "attention.backwardTangent Setting[shape=AttentionShape[heads=1, keyHeads=1, headSize=2"),
          of(
              Kind.INDEX_SHIFTED,
              "attention_tiles.cuh",
              "e / 2 * 8; }",
              "e % 2 * 8; }",
              "attention",
              BF16,
              ALIGNED,
              "heads=1, keyHeads=1, headSize=64"),
          of(
              Kind.BARRIER_REMOVED,
              "attention_plain.cu",
              "    weight[lane] = p;\n    __syncwarp();\n",
              "    weight[lane] = p;\n",
              "attention",
              F32,
              ALIGNED,
              "heads=2, keyHeads=1, headSize=16"),
          of(
              Kind.BARRIER_REMOVED,
              "reduce.cuh",
              "__syncthreads();\n  x = warp_sum",
              "x = warp_sum",
              "vectors",
              F32,
              ALIGNED,
              "vectors.dot"),
          of(
              Kind.BARRIER_REMOVED,
              "reduce.cuh",
              "  __syncthreads();  // of_warp may be written again\n",
              "",
              "rmsNorm",
              BF16,
              ALIGNED,
              "rmsNorm.backwardTangent (3,4608)"),
          of(
              Kind.SIGN_FLIPPED,
              "rms_norm.cu",
              "of_sum = -(3.f",
              "of_sum = (3.f",
              "rmsNorm",
              F32,
              ALIGNED,
              "rmsNorm.backwardTangent (7,65)"),
          of(
              Kind.INDEX_SHIFTED,
              "rms_norm.cu",
              "load_or_zero<W>(gs, row + i)",
              "load_or_zero<W>(gs, i)",
              "rmsNorm",
              F32,
              ALIGNED,
              "rmsNorm.backward "),
          of(
              Kind.INDEX_SHIFTED,
              "cross_entropy.cu",
              "i + e == target",
              "i == target",
              "loss",
              F32,
              ALIGNED,
              "loss.forward Sizes[m=5"),
          of(
              Kind.TERM_LOST,
              "cross_entropy.cu",
              "    sum *= fast_exp(before - shift);\n",
              "",
              "loss",
              F32,
              UNALIGNED,
              "loss.forward Sizes[m=3"),
          of(
              Kind.BARRIER_REMOVED,
              "lora.cu",
              "  __syncthreads();\n",
              "",
              "loraGradients",
              F32,
              ALIGNED,
              "lora.perSampleDot LoraSizes[n=5,"),
          of(
              Kind.BARRIER_REMOVED,
              "lora_samples.cu",
              "  __syncthreads();\n",
              "",
              "loraGradients",
              BF16,
              ALIGNED,
              "lora.perSampleSquaredNorm LoraSizes[n=5,"),
          of(
              Kind.INDEX_SHIFTED,
              "lora_samples.cu",
              "target[at + column_stride] = factor * second",
              "target[at + column_stride] = factor * first",
              "loraGradients",
              BF16,
              UNALIGNED,
              "lora.perSampleGradient LoraSizes[n=5,"),
          of(
              Kind.BARRIER_REMOVED,
              "gemm_f32.cuh",
              "      __syncthreads();\n      load<ROWS",
              "      load<ROWS",
              "lora",
              F32,
              ALIGNED,
              "lora.forward LoraSizes[n=7,"),
          of(
              Kind.BARRIER_REMOVED,
              "gemm_bf16.cuh",
              "      __syncthreads();\n",
              "",
              "lora",
              BF16,
              ALIGNED,
              "lora.forward LoraSizes[n=7,"),
          of(
              Kind.WAIT_TOO_SHORT,
              "gemm_bf16.cuh",
              "copy_async_wait<BUFFERS - 2>",
              "copy_async_wait<BUFFERS - 1>",
              "products",
              BF16,
              ALIGNED,
              "k=7, batch=2, type=BF16"),
          of(
              Kind.MASK_OFF_BY_ONE,
              "gemm_bf16.cuh",
              "top + r < height",
              "top + r <= height",
              "products",
              BF16,
              ALIGNED,
              "m=65, n=33, k=70, batch=1, type=BF16"),
          of(
              Kind.INDEX_SHIFTED,
              "gemm_reduce.cu",
              "int64_t split = 0;",
              "int64_t split = 1;",
              "products",
              BF16,
              ALIGNED,
              "k=900, batch=1, type=BF16"),
          of(
              Kind.INDEX_SHIFTED,
              "gemm.cuh",
              "blockIdx.z * splits + blockIdx.y",
              "blockIdx.z + blockIdx.y",
              "products",
              BF16,
              ALIGNED,
              "m=8, n=24, k=520, batch=2, type=BF16"),
          of(
              Kind.SIGN_FLIPPED,
              "swiglu.cu",
              "(2.f + a * (rest - sigma))",
              "(2.f - a * (rest - sigma))",
              "swiGlu",
              BF16,
              UNALIGNED,
              "swiGlu.backwardTangent (5,64)"),
          of(
              Kind.SIGN_FLIPPED,
              "rope.cu",
              "- sign * b.v[e]",
              "+ sign * b.v[e]",
              "rope",
              BF16,
              ALIGNED,
              "rope.rotateBack"),
          of(
              Kind.SUMS_TOO_NARROW,
              "vectors.cu",
              "  double sum = 0;\n",
              "  float sum = 0;\n",
              "vectors",
              F32,
              ALIGNED,
              "vectors.dot"),
          of(
              Kind.TERM_LOST,
              "adamw.cu",
              "(sqrtf(square.v[e]) * root + epsilon)",
              "((sqrtf(square.v[e]) + epsilon) * root)",
              "vectors",
              F32,
              ALIGNED,
              "vectors.adamW"),
          of(
              Kind.MASK_OFF_BY_ONE,
              "rows.cu",
              "rows[middle] < row",
              "rows[middle] <= row",
              "rows",
              F32,
              ALIGNED,
              "rows.scatter (5,17)"),
          of(
              Kind.INDEX_SHIFTED,
              "dropout.cu",
              "random_bits(seed, p + e)",
              "random_bits(seed, p)",
              "dropout",
              BF16,
              ALIGNED,
              "dropout"),
          of(
              Kind.SIGN_FLIPPED,
              "sampling.cu",
              "| ~static_cast<uint32_t>(index)",
              "| static_cast<uint32_t>(index)",
              "loss",
              F32,
              ALIGNED,
              "loss.likeliest"));
}
