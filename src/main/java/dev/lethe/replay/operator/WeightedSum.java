package dev.lethe.replay.operator;

import dev.lethe.Text;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Σ weightᵢ·Cᵢ of several operators, which it takes over. */
public final class WeightedSum implements ReplayOperator {
  private final List<Term> terms;

  /** An operator and its weight. */
  public record Term(double weight, ReplayOperator operator) {}

  /** The sum of these terms, in this order. */
  public WeightedSum(List<Term> terms) {
    this.terms = List.copyOf(terms);
  }

  /** What is added, in this order. */
  public List<Term> terms() {
    return terms;
  }

  @Override
  public String name() {
    return terms.stream()
        .map(t -> Text.format("%.2g %s", t.weight, t.operator.name()))
        .collect(Collectors.joining(" + "))
        .toLowerCase(Locale.ROOT);
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    for (Term term : terms) {
      if (term.weight != 0) {
        term.operator.addProduct(step, d, scale * term.weight, out);
      }
    }
  }

  @Override
  public void close() {
    terms.forEach(term -> term.operator.close());
  }
}
