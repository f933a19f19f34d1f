package dev.lethe.backend.cuda.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which way is taken, and what is said of the better ones. */
final class ProductsLadderTest {
  private static final String LT = "libcublasLt.so.13";
  private static final String BLAS = "libcublas.so.13";
  private static final String BLAS_12 = "libcublas.so.12";

  @TempDir Path folder;

  private final HostDevice device = new HostDevice();
  private final NoProducts own = new NoProducts();
  private final String before = System.getProperty(ProductsLadder.PROPERTY, "tiled");
  private FakeCublas lt;
  private FakeCublas blas;

  @BeforeEach
  void lookHereOnly() {
    lt = FakeCublas.lt("version=130101");
    blas = FakeCublas.blas("version=130102");
    System.clearProperty(ProductsLadder.PROPERTY);
    System.setProperty("lethe.cublas", folder.toString());
    System.setProperty("lethe.products.tune", "false");
  }

  @AfterEach
  void forget() throws IOException {
    FakeCublas.removeLinks(folder);
    System.clearProperty("lethe.cublas");
    System.clearProperty("lethe.products.tune");
    System.setProperty(ProductsLadder.PROPERTY, before);
    if (lt == null || blas == null) {
      return; // skipped: the fake libraries were not built
    }
    assertEquals(0, lt.count("live") + blas.count("live"), "refused ways are closed");
    assertEquals(0, device.blocks(), "and gave their memory back");
  }

  private void link(String... names) throws IOException {
    for (String name : names) {
      Files.createSymbolicLink(folder.resolve(name), FakeCublas.FOLDER.resolve(name));
    }
  }

  private List<String> open(String expected) {
    ProductsLadder.Choice<Products> choice = ProductsLadder.open(device, own);
    assertEquals(expected.formatted(folder), choice.best().description());
    choice.best().close();
    return choice.refusals().stream().map(Refusal::toString).toList();
  }

  private String refused(String name) {
    return folder.resolve(name).toString();
  }

  private String absent(String name) {
    return name + ": not in " + folder + ", where lethe.cublas says";
  }

  @Test
  void cublasLtBeforeAllOthers() throws IOException {
    link(LT, BLAS, BLAS_12);
    assertEquals(List.of(), open("cuBLASLt 13.1.1 (%s/libcublasLt.so.13)"));
    assertEquals("cuBLASLt 13.1.1 (" + refused(LT) + ")", ProductsLadder.explain().best());
  }

  @Test
  void thenJcublasWhereThereIsVersion12() throws IOException {
    link(BLAS, BLAS_12);
    assertEquals(
        List.of(absent(LT), absent("libcublasLt.so.12")),
        open("JCublas with cuBLAS 13.1.2 (%s/libcublas.so.12)"));
    assertEquals(
        "JCublas with cuBLAS 12 (" + refused(BLAS_12) + ")", ProductsLadder.explain().best());
  }

  @Test
  void thenCublas() throws IOException {
    link(BLAS);
    assertEquals(
        List.of(absent(LT), absent("libcublasLt.so.12"), absent(BLAS_12)),
        open("cuBLAS 13.1.2 (%s/libcublas.so.13)"));
    assertEquals("cuBLAS 13 (" + refused(BLAS) + ")", ProductsLadder.explain().best());
  }

  @Test
  void thenOurOwn() {
    ProductsLadder.Choice<Products> choice = ProductsLadder.open(device, own);
    assertSame(own, choice.best());
    assertEquals(4, choice.refusals().size(), choice.refusals()::toString);
    assertEquals("Lethe's own kernels", ProductsLadder.explain().best());
  }

  @ParameterizedTest
  @CsvSource({
    "wrong_shared, a factor shared by a batch",
    "wrong_added, added to C",
    "wrong_narrow, into as much",
    "wrong_shifted, between multiples of 16 bytes",
    "wrong_shallow, of depth 16"
  })
  void everyKindOfProductIsTriedFirst(String fault, String kind) throws IOException {
    link(LT, BLAS);
    lt.configure("version=130101 " + fault + "=1");
    List<String> refusals = open("cuBLAS 13.1.2 (%s/libcublas.so.13)");
    assertTrue(refusals.getFirst().contains(kind), refusals.getFirst());
  }

  @Test
  void aLibraryThatMultipliesWronglyIsRefused() throws IOException {
    link(LT, BLAS);
    lt.configure("version=130101 wrong=1");
    List<String> refusals = open("cuBLAS 13.1.2 (%s/libcublas.so.13)");
    String beginning = "cublaslt with " + refused(LT) + ": a small product of F32 comes out wrong: ";
    assertTrue(refusals.getFirst().startsWith(beginning), refusals::toString);
  }

  @Test
  void aLibraryThatDoesNotStartOrRunIsRefused() throws IOException {
    link(LT, BLAS);
    lt.configure("version=130101 create=1");
    blas.configure("version=130102 matmul=8");
    List<String> refusals = open("nothing");
    assertTrue(
        refusals.contains(
            "cublaslt with "
                + refused(LT)
                + ": cublasLtCreate failed: CUBLAS_STATUS_NOT_INITIALIZED (1)"),
        refusals::toString);
    assertTrue(
        refusals.stream()
            .anyMatch(
                each ->
                    each.startsWith("cublas with " + refused(BLAS))
                        && each.endsWith("failed: CUBLAS_STATUS_ARCH_MISMATCH (8)")),
        refusals::toString);
  }

  @Test
  void aLibraryWithoutItsFunctionsIsRefused() throws IOException {
    Path other = FakeCublas.FOLDER.resolveSibling("emulator/libkernels_emulator.so");
    Files.copy(other, folder.resolve(LT));
    List<String> refusals = open("nothing");
    assertEquals(
        "cublaslt with " + refused(LT) + ": it has no function cublasLtCreate", refusals.getFirst());
  }

  @Test
  void thePropertyTakesOneWayAndNoOther() throws IOException {
    link(LT, BLAS);
    System.setProperty(ProductsLadder.PROPERTY, "cublas");
    assertEquals(List.of(), open("cuBLAS 13.1.2 (%s/libcublas.so.13)"));
    System.setProperty(ProductsLadder.PROPERTY, "tiled");
    assertEquals(List.of(), open("nothing"));
    System.setProperty(ProductsLadder.PROPERTY, "jcublas");
    EnvironmentException e =
        assertThrows(EnvironmentException.class, () -> ProductsLadder.open(device, own));
    assertEquals(
        "system property lethe.products: 'jcublas' does not work here: "
            + absent(BLAS_12)
            + ". Omit it, or set lethe.cublas to the folder of NVIDIA's cuBLAS.",
        e.getMessage());
    System.setProperty(ProductsLadder.PROPERTY, "magma");
    e = assertThrows(EnvironmentException.class, () -> ProductsLadder.open(device, own));
    assertEquals(
        "system property lethe.products: there is no 'magma'."
            + " Set it to cublaslt, jcublas, cublas or tiled, or omit it.",
        e.getMessage());
  }
}
