package dev.lethe.data;

import dev.lethe.format.StrictJson;
import java.util.Arrays;
import tools.jackson.databind.JsonNode;

/**
 * A row of {@code input_ids} and {@code labels} with the columns that data collators put beside them. What remains are
 * the tokens that are no padding; positions count from the first of them.
 */
final class TokenColumns {
  private static final String MASK = "attention_mask";

  private final RowFields fields;
  private final int[] ids;
  private final int[] labels;
  private int from;
  private int to;

  private TokenColumns(RowFields fields) {
    this.fields = fields;
    this.ids = fields.integers("input_ids");
    this.labels = fields.integers("labels", ids.length);
    this.to = ids.length;
  }

  static Row.TokenRow read(RowFields fields, String id) {
    TokenColumns columns = new TokenColumns(fields);
    columns.cutPadding();
    columns.requirePositions();
    columns.requireNoTypes();
    FieldPolicy.SEGMENTS.names().stream().filter(fields::says).forEach(columns::requireOneSegment);
    FieldPolicy.LOSS_MASK.names().stream().filter(fields::says).forEach(columns::requireLabelsMask);
    return new Row.TokenRow(
        id,
        Arrays.copyOfRange(columns.ids, columns.from, columns.to),
        Arrays.copyOfRange(columns.labels, columns.from, columns.to));
  }

  private void cutPadding() {
    if (!fields.says(MASK)) {
      return;
    }
    int[] mask = integersOrFlags(MASK);
    while (from < to && mask[from] == 0) {
      from++;
    }
    while (to > from && mask[to - 1] == 0) {
      to--;
    }
    boolean whole = from < to && Arrays.stream(mask, from, to).allMatch(m -> m == 1);
    if (!whole) {
      throw fields.unsupported(
          "this attention_mask",
          "only padding on the left or the right can be cut off",
          from == to ? "only padding" : "0 or another number between the ones");
    }
    for (int t = 0; t < ids.length; t++) {
      boolean cut = t < from || t >= to || from > 0 && t == from;
      if (cut && labels[t] != Sample.IGNORED) {
        throw fields.wrong(
            "labels",
            "-100 at padding and at the first token after it, which nothing before it predicts",
            labels[t] + " at position " + t);
      }
    }
    if (to - from < ids.length) {
      fields.notes().read("padding is cut off");
    }
  }

  private void requirePositions() {
    String field = FieldPolicy.POSITION_IDS.names().getFirst();
    if (!fields.says(field)) {
      return;
    }
    int[] positions = fields.integers(field, ids.length);
    for (int t = from; t < to; t++) {
      if (positions[t] != t - from) {
        throw fields.unsupported(
            field,
            "only positions that count the tokens from 0 are what the model computes with",
            positions[t] + " at token " + (t - from));
      }
    }
  }

  private void requireNoTypes() {
    String field = FieldPolicy.TOKEN_TYPES.names().getFirst();
    if (!fields.says(field)) {
      return;
    }
    int[] types = fields.integers(field, ids.length);
    for (int t = from; t < to; t++) {
      if (types[t] != 0) {
        throw fields.unsupported(field, "models here have no types of tokens", String.valueOf(types[t]));
      }
    }
    fields.notes().unused(field);
  }

  private void requireOneSegment(String field) {
    int[] segments = fields.integers(field, ids.length);
    for (int t = from; t < to; t++) {
      if (segments[t] != segments[from]) {
        throw fields.unsupported(field, "one row is one segment", segments[from] + " and " + segments[t]);
      }
    }
  }

  private void requireLabelsMask(String field) {
    int[] mask = integersOrFlags(field);
    for (int t = from; t < to; t++) {
      boolean supervised = labels[t] != Sample.IGNORED;
      if (mask[t] != (supervised ? 1 : 0)) {
        throw fields.unsupported(
            field, "the labels say what is supervised, and it says otherwise", mask[t] + " at token " + (t - from));
      }
    }
  }

  private int[] integersOrFlags(String field) {
    JsonNode array = fields.value(field);
    boolean flags = array.isArray() && array.size() == ids.length && array.get(0).isBoolean();
    if (!flags) {
      return fields.integers(field, ids.length);
    }
    int[] values = new int[ids.length];
    for (int t = 0; t < values.length; t++) {
      if (!array.get(t).isBoolean()) {
        throw fields.wrong(field, "one kind of values", StrictJson.shape(array.get(t)));
      }
      values[t] = array.get(t).booleanValue() ? 1 : 0;
    }
    return values;
  }
}
