package dev.lethe.data;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * The fixed formats in which a row of text becomes pieces. A supervised piece is what the model learns to say.
 */
public enum PromptTemplate {
  /**
   * The prompt and the response as they are; a question or an instruction stands for the prompt.
   */
  PLAIN {
    @Override
    List<Piece> render(Row row) {
      return switch (row) {
        case PromptRow r -> pair(r.prompt(), r.response());
        case QuestionRow r -> pair(r.question(), r.answer());
        case InstructionRow r ->
            pair(
                r.input().isEmpty() ? r.instruction() : r.instruction() + "\n" + r.input(),
                r.output());
        default -> null;
      };
    }
  },

  /** TOFU's form: {@code "Question: …\nAnswer:"} and {@code " …"}. */
  QA {
    @Override
    List<Piece> render(Row row) {
      return switch (row) {
        case QuestionRow r -> questionAndAnswer(r.question(), r.answer());
        case PromptRow r -> questionAndAnswer(r.prompt(), r.response());
        default -> null;
      };
    }
  },

  /** Stanford Alpaca's two forms, with and without an input, as its {@code train.py} has them. */
  ALPACA {
    @Override
    List<Piece> render(Row row) {
      return instruction(row, Instruction.STANFORD);
    }
  },

  /** Those of alpaca-lora's {@code templates/alpaca.json}: Stanford's, and a new line after the last colon. */
  ALPACA_LORA {
    @Override
    List<Piece> render(Row row) {
      return instruction(row, Instruction.ALPACA_LORA);
    }
  },

  /** Those of TALLRec's {@code finetune_rec.py}: alpaca-lora's, with the comment mark that stands in their text. */
  TALLREC {
    @Override
    List<Piece> render(Row row) {
      return instruction(row, Instruction.TALLREC);
    }
  },

  /** A conversation as {@code "User: …\n\nAssistant:"} and {@code " …"}, turn by turn. */
  CHAT {
    @Override
    List<Piece> render(Row row) {
      return switch (row) {
        case MessagesRow r -> conversation(r.messages());
        case PromptRow r -> conversation(turns(r.prompt(), r.response()));
        case QuestionRow r -> conversation(turns(r.question(), r.answer()));
        default -> null;
      };
    }
  };

  /**
   * A piece of a text.
   *
   * @param supervised whether the model learns to say it
   * @param ends whether the token that ends a text follows, as after every turn of the model
   */
  public record Piece(String text, boolean supervised, boolean ends) {
    /** A prompt, or a supervised response with its end. */
    public Piece(String text, boolean supervised) {
      this(text, supervised, supervised);
    }
  }

  /** The published texts around an instruction. */
  private enum Instruction {
    STANFORD("", "### Response:"),
    ALPACA_LORA("", "### Response:\n"),
    TALLREC("  # noqa: E501", "### Response:\n");

    private static final String TASK = "Below is an instruction that describes a task";
    private static final String REQUEST =
        "Write a response that appropriately completes the request.";

    private final String withInput;
    private final String withoutInput;

    Instruction(String afterTask, String response) {
      String begin = REQUEST + afterTask + "\n\n### Instruction:\n%s\n\n";
      withInput =
          TASK
              + ", paired with an input that provides further context. "
              + begin
              + "### Input:\n%s\n\n"
              + response;
      withoutInput = TASK + ". " + begin + response;
    }

    private String prompt(String instruction, String input) {
      return input.isEmpty()
          ? Text.format(withoutInput, instruction)
          : Text.format(withInput, instruction, input);
    }
  }

  /** The pieces of a row, in order. Throws where this format has no place for a row of its form. */
  public List<Piece> pieces(Row row) {
    List<Piece> pieces = render(row);
    if (pieces == null) {
      throw new FormatException(
          Kind.CANNOT_ENCODE,
          "row '" + row.id() + "'",
          "prompt format '" + label() + "' has no place for such a row",
          "another format or another row",
          row.getClass().getSimpleName(),
          "Use format '" + (row instanceof Row.TokenRow ? "none" : forRow(row).label()) + "'");
    }
    return pieces;
  }

  /** The format that a row of text has by default. */
  public static PromptTemplate forRow(Row row) {
    return switch (row) {
      case InstructionRow r -> ALPACA;
      case PromptRow r -> PLAIN;
      case QuestionRow r -> QA;
      case MessagesRow r -> CHAT;
      case Row.TokenRow r ->
          throw new ArgumentException("row '" + r.id() + "' is tokens and needs no format");
    };
  }

  /** The format of a name as users write it, such as {@code alpaca-lora}. */
  public static PromptTemplate byName(String name) {
    return Arrays.stream(values())
        .filter(template -> template.label().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new FormatException(
                    Kind.CANNOT_ENCODE,
                    "prompt format",
                    "there is no such format",
                    Arrays.stream(values()).map(PromptTemplate::label).toList().toString(),
                    "'" + name + "'",
                    "Use one of these"));
  }

  /** The name as users write it. */
  public String label() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The pieces, or null where the format has no place for the row. */
  abstract List<Piece> render(Row row);

  private static List<Piece> pair(String prompt, String response) {
    return List.of(new Piece(prompt, false), new Piece(response, true));
  }

  private static List<Piece> questionAndAnswer(String question, String answer) {
    return pair("Question: " + question + "\nAnswer:", answer.isEmpty() ? "" : " " + answer);
  }

  private static List<Piece> instruction(Row row, Instruction form) {
    return switch (row) {
      case InstructionRow r -> pair(form.prompt(r.instruction(), r.input()), r.output());
      case PromptRow r -> pair(form.prompt(r.prompt(), ""), r.response());
      case QuestionRow r -> pair(form.prompt(r.question(), ""), r.answer());
      default -> null;
    };
  }

  /** A prompt and its response as a conversation. */
  static List<Message> turns(String prompt, String response) {
    return List.of(new Message("user", prompt), new Message("assistant", response));
  }

  private static List<Piece> conversation(List<Message> messages) {
    List<Piece> pieces = new ArrayList<>();
    StringBuilder prompt = new StringBuilder();
    for (Message message : messages) {
      if (message.isAssistant()) {
        pieces.add(new Piece(prompt + "Assistant:", false));
        String content = message.content();
        pieces.add(new Piece(content.isEmpty() ? "" : " " + content, message.supervised(), true));
        prompt.setLength(0);
      } else {
        prompt.append(message.role().equals("system") ? "System: " : "User: ");
        prompt.append(message.content()).append("\n\n");
      }
    }
    return pieces;
  }
}
