package dev.lethe.backend.cpu;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider;
import dev.lethe.backend.cpu.gemm.Bf16Products;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.tensor.DType;
import java.util.List;

/** Offers the CPU backend, which works everywhere and is fast where the Vector API is enabled. */
public final class CpuBackendProvider implements BackendProvider {
  private static final String PRODUCTS = "cpu bf16";

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
    Primitives found = Primitives.best();
    if (options.type() != DType.BF16) {
      return Availability.working("float32, " + found.detail(), found.remedy());
    }
    Bf16Products.Found products = Bf16Products.found();
    if (products.products() == null) {
      return new Availability(
          false, true, "no products in bfloat16: " + products.reason(), products.remedy());
    }
    return Availability.working(
        Text.format(
            "float32, products with frozen weights in bfloat16 by %s, %s",
            products.products().instructions(), found.detail()),
        found.remedy());
  }

  @Override
  public List<Part> parts() {
    Bf16Products.Found found = Bf16Products.found();
    return List.of(
        found.products() == null
            ? new Part(PRODUCTS, "no: " + found.reason() + ". " + found.remedy(), null)
            : new Part(
                PRODUCTS,
                Text.format(
                    "%s for --dtype bf16, %s; the default is float32",
                    found.products().instructions(), Bf16Products.ERROR),
                null));
  }

  @Override
  public Backend open(BackendOptions options) {
    return new CpuBackend(Primitives.best(), options);
  }
}
