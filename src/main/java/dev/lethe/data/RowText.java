package dev.lethe.data;

import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.Sha256;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** What rows of every form say, alike where people would call them the same. */
final class RowText {
  private RowText() {}

  /**
   * A hash, in hex, of what the row says after Unicode's NFKC, without case and with any white space as one blank,
   * whichever form it has; rows of tokens are alike where their tokens are.
   */
  static String likeness(Row row) {
    return switch (row) {
      case InstructionRow r -> of(r.instruction() + " " + r.input(), r.output());
      case PromptRow r -> of(r.prompt(), r.response());
      case QuestionRow r -> of(r.question(), r.answer());
      case MessagesRow r -> of(turns(r.messages()));
      case TokenRow r -> Sha256.start().add("tokens").add(r.inputIds()).hex();
    };
  }

  /** Prompts and responses in turn; what others say between two responses is one prompt. */
  private static String[] turns(List<Message> messages) {
    List<String> turns = new ArrayList<>();
    StringBuilder prompt = new StringBuilder();
    for (Message message : messages) {
      if (message.isAssistant()) {
        turns.add(prompt.toString());
        turns.add(message.content());
        prompt.setLength(0);
      } else {
        prompt.append(message.content()).append(' ');
      }
    }
    turns.add(prompt.toString());
    return turns.toArray(String[]::new);
  }

  private static String of(String... texts) {
    Sha256 hash = Sha256.start().add("text");
    Stream.of(texts).map(RowText::normal).filter(text -> !text.isEmpty()).forEach(hash::add);
    return hash.hex();
  }

  private static String normal(String text) {
    return Normalizer.normalize(text, Normalizer.Form.NFKC)
        .toLowerCase(Locale.ROOT)
        .replaceAll("(?U)\\s+", " ")
        .strip();
  }
}
