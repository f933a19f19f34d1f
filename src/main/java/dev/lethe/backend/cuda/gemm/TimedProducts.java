package dev.lethe.backend.cuda.gemm;

import dev.lethe.Text;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.driver.TimedDevice;
import dev.lethe.backend.kernel.KernelCost;

/** Products of a library, timed under the name of their shape; kernels of our own are timed by the device. */
public final class TimedProducts implements Products {
  private final Products products;
  private final TimedDevice device;

  public TimedProducts(Products products, TimedDevice device) {
    this.products = products;
    this.device = device;
  }

  @Override
  public String description() {
    return products.description();
  }

  @Override
  public void multiply(Product product) {
    if (products instanceof TiledProducts) {
      device.part(cost(product), () -> products.multiply(product));
    } else {
      String name = Text.format("gemm %dx%dx%d", product.m(), product.n(), product.k());
      device.launch(name, cost(product), () -> products.multiply(product));
    }
  }

  private static KernelCost cost(Product p) {
    double depth = p.k() + (p.second() == null ? 0.0 : p.second().k());
    double in = depth * (p.m() + p.n()) * p.a().type().bytes();
    double out = (p.beta() == 0 ? 1.0 : 2.0) * p.m() * p.n() * p.c().type().bytes();
    return new KernelCost(2 * p.batch() * p.m() * p.n() * depth, p.batch() * (in + out));
  }

  @Override
  public void close() {
    products.close();
  }
}
