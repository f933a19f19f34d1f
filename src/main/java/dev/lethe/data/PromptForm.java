package dev.lethe.data;

import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** How rows of text become pieces of text. Implementations are safe for use by several threads. */
public interface PromptForm {
  /**
   * A row's text.
   *
   * @param pieces in order
   * @param framed whether the tokenizer's own tokens for begin and end belong around it; a chat template writes them
   *     itself
   */
  record Rendered(List<Piece> pieces, boolean framed) {
    public Rendered {
      pieces = List.copyOf(pieces);
    }
  }

  /** Which of the model's turns in a conversation it learns to say. */
  enum Supervise {
    /** Every turn, but for those that the data marks. */
    ALL,
    /** The last of them. */
    LAST;

    /** The turns of a name as users write it: all or last. */
    public static Supervise byName(String name) {
      return Arrays.stream(values())
          .filter(value -> value.name().toLowerCase(Locale.ROOT).equals(name))
          .findFirst()
          .orElseThrow(
              () ->
                  new Place("supervised turns").refuse(
                      Kind.CANNOT_ENCODE, "there is no such choice", "all or last", "'" + name + "'"));
    }

    /** The same row with the turns marked that are to be learned. */
    Row mark(Row row) {
      if (this == ALL || !(row instanceof MessagesRow messages)) {
        return row;
      }
      List<Message> marked = new ArrayList<>();
      boolean found = false;
      for (Message message : messages.messages().reversed()) {
        boolean last = message.supervised() && !found;
        found |= last;
        marked.addFirst(new Message(message.role(), message.content(), last));
      }
      return new MessagesRow(row.id(), marked);
    }
  }

  /**
   * The text of a row.
   *
   * @param where the row's place, for messages
   */
  Rendered render(Row row, String where);

  /** A fixed format; null for the one that fits each row's form. */
  static PromptForm fixed(PromptTemplate template) {
    return fixed(template, Supervise.ALL);
  }

  /** A fixed format, of whose conversations some turns are learned. */
  static PromptForm fixed(PromptTemplate template, Supervise supervise) {
    return (row, where) -> {
      PromptTemplate format = template == null ? PromptTemplate.forRow(row) : template;
      return new Rendered(format.pieces(supervise.mark(row)), true);
    };
  }
}
