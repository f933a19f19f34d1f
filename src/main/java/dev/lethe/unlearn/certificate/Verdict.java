package dev.lethe.unlearn.certificate;

import dev.lethe.Text;
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
