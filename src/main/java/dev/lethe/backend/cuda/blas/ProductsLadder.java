package dev.lethe.backend.cuda.blas;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cuda.driver.CudaUnavailable;
import dev.lethe.backend.cuda.driver.Device;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Chooses what multiplies matrices, once, the best that works: cuBLASLt 13 or 12, JCublas with cuBLAS 12, cuBLAS
 * 13 or 12, Lethe's own kernels. Each library makes small products first, and must get them right.
 *
 * <p>cuBLASLt is before JCublas although JCuda drives the device, because only cuBLASLt lets the algorithm of
 * a shape be timed, kept and named, and every cuBLAS 12 that JCublas could use comes with a cuBLASLt 12.
 * The system property {@value #PROPERTY} takes another: {@code cublaslt}, {@code jcublas}, {@code cublas} or
 * {@code tiled}.
 */
public final class ProductsLadder {
  public static final String PROPERTY = "lethe.products";

  private ProductsLadder() {}

  /**
   * @param best the first way that works
   * @param refusals why none before it does
   */
  public record Choice<T>(T best, List<Refusal> refusals) {}

  private enum Way {
    CUBLASLT("cublasLt", 13, 12),
    JCUBLAS("cublas", 12),
    CUBLAS("cublas", 13, 12),
    TILED(null, 0);

    private final String library;
    private final int[] versions;

    Way(String library, int... versions) {
      this.library = library;
      this.versions = versions;
    }
  }

  /** Takes one way with one library. */
  @FunctionalInterface
  private interface Attempt<T> {
    T at(Way way, VendorLibrary library);
  }

  /**
   * The products of a device.
   *
   * @param own Lethe's own, which always work; not closed with what this returns
   * @throws EnvironmentException where the way that {@value #PROPERTY} names does not work
   */
  public static Choice<Products> open(Device device, Products own) {
    return first(
        (way, library) -> {
          if (way == Way.TILED) {
            return own;
          }
          LibraryProducts products = openLibrary(way, library, device, own);
          ProductsProbe.require(device, products);
          return products;
        });
  }

  /** What {@link #open} would choose as far as can be told without a device, for people. */
  public static Choice<String> explain() {
    return first(
        (way, library) ->
            switch (way) {
              case CUBLASLT -> new CublasLt(library).toString();
              case JCUBLAS -> {
                JCublasProducts.load();
                yield "JCublas with cuBLAS 12 (" + library.place() + ")";
              }
              case CUBLAS -> new CublasProducts.Functions(library).toString();
              case TILED -> "Lethe's own kernels";
            });
  }

  private static LibraryProducts openLibrary(
      Way way, VendorLibrary library, Device device, Products own) {
    return switch (way) {
      case CUBLASLT -> lt(library, device, own);
      case JCUBLAS -> new JCublasProducts(library, device, own);
      case CUBLAS -> new CublasProducts(new CublasProducts.Functions(library), device, own);
      case TILED -> throw new ArgumentException("tiled needs no library");
    };
  }

  private static LibraryProducts lt(VendorLibrary library, Device device, Products own) {
    CublasLt lt = new CublasLt(library);
    boolean tune = !"false".equals(System.getProperty(CublasLtProducts.TUNE));
    String kind =
        Text.format(
            "cublasLt %d %s %d",
            lt.version(), device.description().replace(device.place(), ""), device.multiprocessors());
    AlgorithmStore store = tune ? AlgorithmStore.inCache(kind) : new AlgorithmStore(null);
    return new CublasLtProducts(lt, device, own, store, EventStopwatch.of(device));
  }

  private static <T> Choice<T> first(Attempt<T> attempt) {
    CublasLibraries libraries = CublasLibraries.ofProcess();
    String wanted = System.getProperty(PROPERTY);
    for (Way way : wanted == null ? List.of(Way.values()) : List.of(way(wanted))) {
      for (int version : way.versions) {
        VendorLibrary library = way.library == null ? null : libraries.find(way.library, version);
        if (library == null && way.library != null) {
          continue;
        }
        try {
          return new Choice<>(attempt.at(way, library), List.copyOf(libraries.refusals()));
        } catch (CublasFailure | CudaUnavailable | UnsatisfiedLinkError | IllegalCallerException e) {
          libraries.refuse(
              new Refusal(name(way) + " with " + library.place(), e.getMessage()));
        }
      }
    }
    throw new EnvironmentException(
        "system property " + PROPERTY,
        Text.format("'%s' does not work here: %s", wanted, text(libraries)),
        "Omit it, or set " + CublasLibraries.PROPERTY + " to the folder of NVIDIA's cuBLAS.");
  }

  private static Way way(String wanted) {
    return Arrays.stream(Way.values())
        .filter(way -> name(way).equals(wanted))
        .findFirst()
        .orElseThrow(
            () ->
                new EnvironmentException(
                    "system property " + PROPERTY,
                    "there is no '" + wanted + "'",
                    "Set it to cublaslt, jcublas, cublas or tiled, or omit it."));
  }

  private static String name(Way way) {
    return way.name().toLowerCase(Locale.ROOT);
  }

  private static String text(CublasLibraries libraries) {
    return libraries.refusals().stream().map(Refusal::toString).collect(Collectors.joining("; "));
  }
}
