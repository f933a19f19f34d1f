package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.Text;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the compiler makes of the hot loops for sm_90a: so many instructions for each product on tensor cores and no
 * more, and so few registers that the blocks fit which the kernels count on. 170 registers let three blocks of 128
 * threads share a multiprocessor, 255 two.
 */
final class MachineCodeTest {
  private static final String TARGET = "sm_90a";

  @ParameterizedTest
  @CsvSource({
    "attention_forward, attention_forward_64_bf16, 8.3, 170",
    "attention_forward, attention_forward_128_bf16, 6.1, 255",
    "attention_tangent, attention_tangent_64_bf16, 6.4, 170",
    "attention_tangent, attention_tangent_128_bf16, 5.1, 255",
    "attention_query_gradient, attention_query_gradient_64_bf16, 7.4, 170",
    "attention_query_gradient, attention_query_gradient_128_bf16, 5.9, 255",
    "attention_query_gradient, attention_query_gradient_tangent_64_bf16, 5.6, 255",
    "attention_query_gradient, attention_query_gradient_tangent_128_bf16, 3.9, 255",
    "attention_key_gradient, attention_key_gradient_64_bf16, 8.2, 255",
    "attention_key_gradient, attention_key_gradient_128_bf16, 7.7, 255",
    "attention_key_gradient, attention_key_gradient_tangent_64_bf16, 5.8, 255",
    "attention_key_gradient, attention_key_gradient_tangent_128_bf16, 5.4, 255",
    "gemm_bf16, gemm_nt_wide_bf16, 13.0, 128",
    "gemm_bf16, gemm_nn_wide_bf16, 13.0, 128",
    "gemm_bf16_slim, gemm_nt_tall_bf16, 21.5, 128",
    "gemm_bf16_slim, gemm_nn_tall_bf16, 21.5, 128",
    "gemm_bf16_slim, gemm_tn_flat_bf16, 21.5, 128",
    "lora_adjoint, lora_adjoint_bf16, 8.5, 255",
    "lora_adjoint, lora_adjoint_tangent_bf16, 7.2, 255",
    "lora_samples, lora_sample_gradients_bf16, 19.1, 128",
    "lora_samples, lora_sample_squares_bf16, 19.1, 128"
  })
  void warpByWarp(String file, String kernel, double mostForEachProduct, int mostRegisters) throws Exception {
    theMainLoopIsShort(file, kernel, mostForEachProduct, mostRegisters);
  }

  /** Products of 64 rows, all columns of a tile and 16 depths; 128 registers let two blocks of 256 threads share. */
  @ParameterizedTest
  @CsvSource({
    "attention_forward_wgmma, attention_forward_64_wgmma_bf16, 52, 128",
    "attention_forward_wgmma, attention_forward_128_wgmma_bf16, 41, 255",
    "attention_tangent_wgmma, attention_tangent_64_wgmma_bf16, 20.5, 128",
    "attention_tangent_wgmma, attention_tangent_128_wgmma_bf16, 15.6, 255",
    "attention_query_gradient_wgmma, attention_query_gradient_64_wgmma_bf16, 34.5, 128",
    "attention_query_gradient_wgmma, attention_query_gradient_128_wgmma_bf16, 25.2, 255",
    "attention_query_gradient_wgmma, attention_query_gradient_tangent_64_wgmma_bf16, 18.8, 128",
    "attention_query_gradient_wgmma, attention_query_gradient_tangent_128_wgmma_bf16, 13.2, 255",
    "attention_key_gradient_wgmma, attention_key_gradient_64_wgmma_bf16, 32.8, 128",
    "attention_key_gradient_wgmma, attention_key_gradient_128_wgmma_bf16, 24, 255",
    "attention_key_gradient_wgmma, attention_key_gradient_tangent_64_wgmma_bf16, 20.6, 255"
  })
  void byWarpgroups(String file, String kernel, double mostForEachProduct, int mostRegisters) throws Exception {
    theMainLoopIsShort(file, kernel, mostForEachProduct, mostRegisters);
  }

  private static void theMainLoopIsShort(String file, String kernel, double mostForEachProduct, int mostRegisters)
      throws Exception {
    Map<String, MachineCode.Loop> loops = MachineCode.loops(file, TARGET);
    MachineCode.Loop loop = loops.get(kernel);
    assertNotNull(loop, () -> kernel + " is not among " + loops.keySet());
    double forEachProduct = loop.instructions() / (double) loop.products();
    assertEquals(
        "",
        forEachProduct <= mostForEachProduct && loop.registers() > 0 && loop.registers() <= mostRegisters
            ? ""
            : Text.format("%s: %s, %.2f instructions a product", kernel, loop, forEachProduct));
  }

  /** Bytes that a warp takes from shared memory for a tile of the other side: a matrix load moves 512. */
  @ParameterizedTest
  @CsvSource({
    "attention_forward, attention_forward_64_bf16, 18432",
    "attention_forward, attention_forward_128_bf16, 36864",
    "attention_tangent, attention_tangent_64_bf16, 26624",
    "attention_tangent, attention_tangent_128_bf16, 53248",
    "attention_query_gradient, attention_query_gradient_64_bf16, 16384",
    "attention_query_gradient, attention_query_gradient_128_bf16, 32768",
    "attention_query_gradient, attention_query_gradient_tangent_64_bf16, 45056",
    "attention_query_gradient, attention_query_gradient_tangent_128_bf16, 90112",
    "attention_key_gradient, attention_key_gradient_64_bf16, 20480",
    "attention_key_gradient, attention_key_gradient_128_bf16, 24576",
    "attention_key_gradient, attention_key_gradient_tangent_64_bf16, 53248",
    "attention_key_gradient, attention_key_gradient_tangent_128_bf16, 65536",
    "gemm_bf16, gemm_nt_wide_bf16, 6144",
    "gemm_bf16_slim, gemm_nt_tall_bf16, 4096",
    "gemm_bf16_slim, gemm_tn_flat_bf16, 4096",
    "lora_adjoint, lora_adjoint_bf16, 10240",
    "lora_adjoint, lora_adjoint_tangent_bf16, 20480",
    "lora_samples, lora_sample_gradients_bf16, 4096"
  })
  void aTileTakesFewBytesFromSharedMemory(String file, String kernel, int mostBytes) throws Exception {
    MachineCode.Loop loop = MachineCode.loops(file, TARGET).get(kernel);
    assertNotNull(loop, () -> kernel + " is not there");
    assertTrue(512 * loop.matrixLoads() <= mostBytes, () -> kernel + ": " + loop);
  }
}
