package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.lethe.backend.cuda.CompiledKernels.Resources;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the compiler makes of the hot kernels, on all targets. A multiprocessor has 65,536 registers: 64 of them let two
 * blocks of 512 threads share it, 128 two of 256, 170 three of 128, 255 two of 128.
 */
final class CompiledKernelsTest {
  @Test
  void noKernelSpills() throws IOException {
    List<Resources> spilling =
        CompiledKernels.resources().stream().filter(kernel -> kernel.spilledBytes() > 0).toList();
    assertEquals(List.of(), spilling);
  }

  @ParameterizedTest
  @CsvSource({
    "attention_(forward|tangent|query_gradient)_64_bf16, 170, 0",
    "attention_query_gradient_tangent_64_bf16, 255, 0",
    "attention_key_gradient_(tangent_)?64_bf16, 255, 0",
    "attention_(forward|tangent|query_gradient|query_gradient_tangent)_128_bf16, 255, 0",
    "attention_key_gradient_(tangent_)?128_bf16, 255, 0",
    "attention_delta_.*, 40, 0",
    "gemm_.._wide_bf16.*, 128, 0",
    "gemm_.._(square|flat|tall)_bf16.*, 112, 0",
    "gemm_.._(square|flat|tall)_f32, 119, 21760",
    "gemm_reduce_.*, 40, 0",
    "rms_norm_(forward|tangent|backward)_(f32|bf16), 64, 128",
    "rms_norm_backward_tangent_.*, 80, 128",
    "layer_norm_(forward|tangent|backward)_(f32|bf16), 64, 128",
    "layer_norm_backward_tangent_.*, 96, 128",
    "rope_rotate_.*, 64, 0",
    "gated_(forward|tangent|backward)_(?!tangent).*, 64, 0",
    "gated_backward_tangent_.*, 98, 0",
    "cross_entropy_.*, 64, 256",
    "lora_(border|adapter|join|bias|weigh_rows|add_gradients).*, 64, 0",
    "lora_adjoint_(tangent_)?bf16, 255, 0",
    "lora_adjoint_sum_bf16, 64, 0",
    "lora_sample_(gradients|squares)_bf16, 128, 16",
    "rows_.*, 64, 0",
    "(adamw_step|vector_.*|scaled_sum_apply_.*), 48, 256",
    "replay_.*, 80, 256",
    "sketch_(dots|combine)_.*, 128, 256"
  })
  void registersAndSharedMemoryLetEnoughBlocksShareAMultiprocessor(
      String kernels, int mostRegisters, int mostSharedBytes) throws IOException {
    Pattern name = Pattern.compile(kernels);
    List<Resources> meant =
        CompiledKernels.resources().stream().filter(kernel -> name.matcher(kernel.kernel()).matches()).toList();
    assertFalse(meant.isEmpty(), () -> "no kernel is called " + kernels);
    List<Resources> above =
        meant.stream()
            .filter(kernel -> kernel.registers() > mostRegisters || kernel.sharedBytes() > mostSharedBytes)
            .toList();
    assertEquals(List.of(), above);
  }

  /**
   * Tensors of activations pass 16 bytes at a time: as many such stores as a kernel has results, and none of 4 or 8
   * bytes, into which the compiler once split them. Kernels for unaligned rows store elements of 2 bytes.
   */
  @ParameterizedTest
  @CsvSource({
    "rms_norm, rms_norm_forward_bf16, 7, 2",
    "rms_norm, rms_norm_tangent_bf16, 11, 2",
    "rms_norm, rms_norm_backward_bf16, 10, 1",
    "rms_norm, rms_norm_backward_tangent_bf16, 19, 1",
    "layer_norm, layer_norm_forward_bf16, 10, 2",
    "layer_norm, layer_norm_tangent_bf16, 11, 2",
    "layer_norm, layer_norm_backward_bf16, 10, 1",
    "layer_norm, layer_norm_backward_tangent_bf16, 21, 1",
    "cross_entropy, cross_entropy_forward_bf16, 14, 2",
    "cross_entropy, cross_entropy_tangent_bf16, 4, 0",
    "cross_entropy, cross_entropy_backward_tangent_bf16, 12, 1"
  })
  void tensorsPassInPiecesOfSixteenBytes(String file, String kernel, int loads, int stores) throws IOException {
    Map<String, Integer> accesses = CompiledKernels.globalAccesses(file, kernel);
    assertEquals(loads, count(accesses, "ld\\.global\\S*\\.v4\\.\\w32"), () -> "wide loads in " + accesses);
    assertEquals(stores, count(accesses, "st\\.global\\S*\\.v4\\.\\w32"), () -> "wide stores in " + accesses);
    String narrow = "(ld|st)\\.global\\S*\\.v2\\S*|st\\.global((?!\\.v4)\\S)*\\.[bu]32";
    assertEquals(0, count(accesses, narrow), () -> "narrower ones in " + accesses);
  }

  private static int count(Map<String, Integer> accesses, String form) {
    Pattern pattern = Pattern.compile(form);
    return accesses.entrySet().stream()
        .filter(access -> pattern.matcher(access.getKey()).matches())
        .mapToInt(Map.Entry::getValue)
        .sum();
  }
}
