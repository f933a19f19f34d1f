package dev.lethe.backend.cuda.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Our constants and calls against NVIDIA's own headers and libraries, where these are at hand: headers in the folder
 * that the system property {@code lethe.cublas.include} names, or in a toolkit's.
 */
final class VendorTest {
  private static final Pattern CONSTANT = Pattern.compile("\\b((?:CUBLAS|CUDA_R)\\w*)\\s*=\\s*(-?\\w+)");

  @Test
  void constantsAreThoseOfTheHeaders() throws IOException, IllegalAccessException {
    Map<String, Integer> theirs = new HashMap<>();
    for (String header : List.of("library_types.h", "cublas_api.h", "cublasLt.h")) {
      header(header).ifPresent(file -> theirs.putAll(constants(file)));
    }
    assumeTrue(!theirs.isEmpty(), "no header of NVIDIA's is at hand: constants were NOT compared");
    boolean blas = theirs.containsKey("CUBLAS_OP_T");
    List<String> compared = new ArrayList<>();
    for (Field field : Vendor.class.getDeclaredFields()) {
      String name = field.getName();
      boolean expected = field.getType() == int.class && (blas || name.startsWith("CUDA_R"));
      if (expected) {
        assertEquals(theirs.get(name), (Integer) field.getInt(null), name);
        compared.add(name);
      }
    }
    assertTrue(compared.size() >= 2, "only " + compared);
    assumeTrue(blas, "only " + compared + " were compared: no cublas_api.h and cublasLt.h at hand");
    assertTrue(compared.size() > 30, "only " + compared);
  }

  /** Attributes' sizes are checked by the library itself; no device is needed for descriptors. */
  @Test
  void theRealLibraryTakesOurDescriptors() {
    CublasLibraries libraries = CublasLibraries.ofProcess();
    List<VendorLibrary> found =
        Stream.of(13, 12)
            .map(version -> Optional.ofNullable(libraries.find("cublasLt", version)))
            .flatMap(Optional::stream)
            .toList();
    assumeTrue(!found.isEmpty(), "cuBLASLt is not at hand: the real one was NOT called");
    for (VendorLibrary library : found) {
      CublasLt lt = new CublasLt(library);
      assertEquals(library.major(), lt.version() / 10_000);
      try (Arena arena = Arena.ofConfined();
          MatmulPlan plan = new MatmulPlan(lt, batch(), arena)) {
        assertFalse(plan.possible());
        long preference = lt.createPreference();
        lt.setMostWorkspace(preference, LibraryProducts.WORKSPACE_BYTES);
        for (int attribute :
            List.of(
                Vendor.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES)) {
          lt.setPreference(preference, attribute, 2);
        }
        lt.destroyPreference(preference);
      }
    }
  }

  private static MatmulShape batch() {
    Operand a = Operand.of(64, DType.BF16, 40).every(4000).transpose();
    Operand b = Operand.of(64, DType.BF16, 50).every(5000);
    Operand c = Operand.of(64, DType.F32, 50).every(6000);
    MatmulShape shape = new MatmulShape();
    shape.set(Product.of(33, 44, 55, 1, a, b, c).batch(3), 55, a, b, 0);
    return shape;
  }

  private static Optional<Path> header(String name) {
    String wanted = System.getProperty("lethe.cublas.include");
    String toolkit = System.getenv("CUDA_PATH");
    return Stream.of(
            wanted,
            toolkit == null ? null : toolkit + "/include",
            "/usr/local/cuda/include",
            "/usr/include")
        .filter(folder -> folder != null)
        .map(folder -> Path.of(folder, name))
        .filter(Files::exists)
        .findFirst();
  }

  private static Map<String, Integer> constants(Path header) {
    Map<String, Integer> found = new HashMap<>();
    try (Stream<String> lines = Files.lines(header)) {
      for (String line : (Iterable<String>) lines::iterator) {
        Matcher constant = CONSTANT.matcher(line);
        while (constant.find()) {
          try {
            found.put(constant.group(1), Integer.decode(constant.group(2)));
          } catch (NumberFormatException anExpression) {
            // Not a plain number.
          }
        }
      }
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    return found;
  }
}
