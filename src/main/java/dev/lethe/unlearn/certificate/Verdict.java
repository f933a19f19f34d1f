package dev.lethe.unlearn.certificate;

import dev.lethe.Text;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.frozen.FrozenModel;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.List;

/**
 * What a certificate says about its own numbers.
 *
 * @param warnings conditions that do not hold
 * @param notes what a reader should know besides
 */
public record Verdict(List<String> warnings, List<String> notes) {
  public Verdict {
    warnings = List.copyOf(warnings);
    notes = List.copyOf(notes);
  }

  /** The same of a model with frozen weights of the adapter's, which unlearning cannot change. */
  public Verdict with(LanguageModel model) {
    if (model.carried().isEmpty()) {
      return this;
    }
    List<String> more = new ArrayList<>(warnings);
    more.add(
        "the adapter's own weights of "
            + FrozenModel.modules(model.carried())
            + " stay as they are: what they learned of the forgotten rows stays too");
    return new Verdict(more, notes);
  }

  /** Collects a verdict, in the order in which it is read. */
  public static final class Builder {
    private final List<String> warnings = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();

    public void warn(String format, Object... values) {
      warnings.add(Text.format(format, values));
    }

    public void note(String format, Object... values) {
      notes.add(Text.format(format, values));
    }

    /** Notes what the request itself makes of the run; returns whether there is anything else to judge. */
    public boolean request(UnlearnRequest request) {
      request.notes().forEach(note -> note("%s", note));
      request.copies().sentences().forEach(sentence -> warn("%s", sentence));
      int same = request.changes().size() - request.effective().size();
      if (same > 0) {
        note("%,d replacements say the same as their originals and change nothing", same);
      }
      if (request.effective().isEmpty()) {
        note("nothing was asked: nothing was computed and no parameter changed");
        return false;
      }
      return true;
    }

    public Verdict build() {
      return new Verdict(warnings, notes);
    }
  }
}
