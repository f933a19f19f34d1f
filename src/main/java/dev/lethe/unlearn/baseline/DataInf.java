package dev.lethe.unlearn.baseline;

import dev.lethe.backend.Vectors;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * DataInf's closed form of an influence step. For each LoRA matrix with gradients gᵢ of all n training rows,
 *
 * <pre>
 * Δ = s (1/n) Σᵢ (λI + gᵢgᵢᵀ)⁻¹ b = (s/λ) [b − (1/n) Σᵢ ⟨gᵢ,b⟩/(λ + ‖gᵢ‖²) gᵢ]     λ = 0.1 · mean of gᵢ's squared entries
 * </pre>
 */
record DataInf(Settings settings) implements Baseline {
  static final String NAME = "datainf";

  static final List<Setting> OWN =
      List.of(
          Setting.positive("damping-share", 0.1, "λ as a part of a matrix's mean squared gradient"),
          Setting.weight("step", 1, "s, the length of the step; 1: the estimate itself"));

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String source() {
    return "one influence step with the mean of inverses in place of the inverse of the mean, matrix by matrix (DataInf;"
        + " Kwon et al., arXiv 2310.00902)";
  }

  @Override
  public void apply(BaselineWork work, LoraAdapter adapter) {
    DatasetLoss data = work.loss(work.request().data());
    try (Scope scope = work.backend().openScope("datainf")) {
      Tensor b = work.vector(scope);
      RequestGradient.add(work, adapter.theta(), 1, b);
      Products products = products(work, data, adapter, b);
      Tensor sum = work.vector(scope);
      add(work, data, adapter, products, sum);
      Vectors vectors = work.backend().vectors();
      for (int l = 0; l < products.damping.length; l++) {
        ParameterLayout.Parameter parameter = adapter.layout().parameters().get(l);
        Tensor direction = part(b, parameter);
        vectors.axpy(-1.0 / data.size(), part(sum, parameter), direction);
        vectors.axpy(settings.number("step") / products.damping[l], direction, part(adapter.theta(), parameter));
      }
    }
  }

  /** ‖gᵢ‖² and ⟨gᵢ,b⟩ of every row and matrix, and the matrices' λ. */
  private Products products(BaselineWork work, DatasetLoss data, LoraAdapter adapter, Tensor b) {
    Vectors vectors = work.backend().vectors();
    List<ParameterLayout.Parameter> matrices = adapter.layout().parameters();
    Products products = new Products(matrices.size(), data.size());
    work.phase("gradients of all rows", 0);
    data.perSample(
        adapter.theta(),
        (first, gradients) -> {
          for (int i = 0; i < gradients.dim(0); i++) {
            for (int l = 0; l < matrices.size(); l++) {
              Tensor g = part(gradients.row(i), matrices.get(l));
              products.squares[l][first + i] = vectors.dot(g, g);
              products.dots[l][first + i] = vectors.dot(g, part(b, matrices.get(l)));
            }
          }
        });
    work.count(data.size());
    for (int l = 0; l < matrices.size(); l++) {
      double mean = 0;
      for (double square : products.squares[l]) {
        mean += square / data.size() / matrices.get(l).shape().elements();
      }
      products.damping[l] = settings.number("damping-share") * mean;
    }
    return products;
  }

  /** Adds Σᵢ ⟨gᵢ,b⟩/(λ + ‖gᵢ‖²) gᵢ to sum. */
  private static void add(
      BaselineWork work, DatasetLoss data, LoraAdapter adapter, Products products, Tensor sum) {
    List<ParameterLayout.Parameter> matrices = adapter.layout().parameters();
    work.phase("gradients of all rows, weighted", 0);
    data.perSample(
        adapter.theta(),
        (first, gradients) -> {
          for (int i = 0; i < gradients.dim(0); i++) {
            for (int l = 0; l < matrices.size(); l++) {
              work.backend()
                  .vectors()
                  .axpy(
                      products.weight(l, first + i),
                      part(gradients.row(i), matrices.get(l)),
                      part(sum, matrices.get(l)));
            }
          }
        });
    work.count(data.size());
  }

  private static Tensor part(Tensor vector, ParameterLayout.Parameter of) {
    return vector.slice(of.offset(), of.shape().elements());
  }

  private static final class Products {
    private final double[][] squares;
    private final double[][] dots;
    private final double[] damping;

    Products(int matrices, int rows) {
      squares = new double[matrices][rows];
      dots = new double[matrices][rows];
      damping = new double[matrices];
    }

    double weight(int matrix, int row) {
      double below = damping[matrix] + squares[matrix][row];
      return below == 0 ? 0 : dots[matrix][row] / below;
    }
  }
}
