package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;
import dev.lethe.tensor.DType;
import java.util.List;

/** Offers the CPU backend, which works everywhere and is fast where the Vector API is enabled. */
public final class CpuBackendProvider implements BackendProvider {
  private static final String PRODUCTS = "cpu bf16";
  private static final String BF16_PRODUCTS = "products with frozen weights in bfloat16, ";

  @Override
  public String name() {
    return CpuBackend.NAME;
  }

  @Override
  public int priority() {
    return 0;
  }

  @Override
  public Availability availability(BackendOptions options) {
    if (options.type() == DType.BF16 && NativeProducts.found().products() == null) {
      NativeProducts.Found none = NativeProducts.found();
      return new Availability(
          false, true, "no products in bfloat16: " + none.reason(), none.remedy());
    }
    Primitives found = Primitives.best();
    String products = options.type() == DType.BF16 ? BF16_PRODUCTS : "";
    return Availability.working("float32, " + products + found.detail(), found.remedy());
  }

  @Override
  public List<Part> parts() {
    NativeProducts.Found found = NativeProducts.found();
    return List.of(
        found.products() == null
            ? new Part(PRODUCTS, "no: " + found.reason() + ". " + found.remedy(), null)
            : new Part(
                PRODUCTS,
                "AVX-512 BF16 for --dtype bf16, %s; the default is float32"
                    .formatted(NativeProducts.ERROR),
                null));
  }

  @Override
  public Backend open(BackendOptions options) {
    return new CpuBackend(Primitives.best(), options);
  }
}
