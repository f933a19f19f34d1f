package dev.lethe.unlearn.request;

import dev.lethe.ArgumentException;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a method that follows the training is asked to do.
 *
 * @param model with the adapter that should forget
 * @param request what should change, and all rows that the adapter still rests on
 * @param divisor what removals do to the weights of a batch's other rows
 * @param heldOut rows that took no part in training, for the certificate
 * @param measuring what the certificate measures
 */
public record UnlearnTask(
    AdaptedModel model,
    UnlearnRequest request,
    Divisor divisor,
    List<Sample> heldOut,
    Measuring measuring) {
  public UnlearnTask {
    if (model.adapter() == null) {
      throw new ArgumentException("a bare model has nothing to unlearn");
    }
    heldOut = List.copyOf(heldOut);
  }

  /** Removed rows keep their slots; nothing is held out; the certificate has the requested rows' losses. */
  public static UnlearnTask of(AdaptedModel model, UnlearnRequest request) {
    return new UnlearnTask(model, request, Divisor.KEEP, List.of(), Measuring.REQUESTED_ROWS);
  }

  /** The same with another request. */
  public UnlearnTask with(UnlearnRequest other) {
    return new UnlearnTask(model, other, divisor, heldOut, measuring);
  }

  /** The request as edits of the training; rows that are replaced by themselves are no part of it. */
  public RowEdits edits() {
    Set<String> removed = new HashSet<>();
    Map<String, Sample> replacements = new HashMap<>();
    for (Change change : request.effective()) {
      if (change.replacement() == null) {
        removed.add(change.original().id());
      } else {
        replacements.put(change.original().id(), change.replacement());
      }
    }
    return new RowEdits(removed, replacements, divisor);
  }
}
