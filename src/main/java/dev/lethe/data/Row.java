package dev.lethe.data;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** One row of a data set, in one of five forms. The id is unique within its file. */
public sealed interface Row {
  /** The row's name: its {@code id} field, or its number from 0. */
  String id();

  /** Alpaca and TALLRec: an instruction, an input that may be empty, and the supervised output. */
  record InstructionRow(String id, String instruction, String input, String output)
      implements Row {}

  /** A prompt and its supervised response, used as they are. */
  record PromptRow(String id, String prompt, String response) implements Row {}

  /** TOFU: a question and its supervised answer. */
  record QuestionRow(String id, String question, String answer) implements Row {}

  /** A conversation; what the assistant says is supervised, but for turns that are marked. */
  record MessagesRow(String id, List<Message> messages) implements Row {
    public MessagesRow {
      messages = List.copyOf(messages);
    }
  }

  /** Tokens as they are: {@code labels} is as long as {@code inputIds}, −100 is not supervised. */
  record TokenRow(String id, int[] inputIds, int[] labels) implements Row {
    @Override
    public boolean equals(Object other) {
      return other instanceof TokenRow row
          && id.equals(row.id)
          && Arrays.equals(inputIds, row.inputIds)
          && Arrays.equals(labels, row.labels);
    }

    @Override
    public int hashCode() {
      return Objects.hash(id, Arrays.hashCode(inputIds), Arrays.hashCode(labels));
    }
  }

  /**
   * One turn of a conversation.
   *
   * @param role {@code system}, {@code user} or {@code assistant}
   * @param supervised whether the model learns to say it; only the assistant's turns can be
   */
  record Message(String role, String content, boolean supervised) {
    /** The role of what the model says. */
    public static final String ASSISTANT = "assistant";

    /** A turn as it usually is: supervised where it is the assistant's. */
    public Message(String role, String content) {
      this(role, content, role.equals(ASSISTANT));
    }

    /** Whether the model says it. */
    public boolean isAssistant() {
      return role.equals(ASSISTANT);
    }
  }
}
