package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException;
import java.util.List;
import org.junit.jupiter.api.Test;

class PromptTemplateTest {
  @Test
  void plainIsWhatIsThere() {
    assertEquals(
        List.of(new Piece("p", false), new Piece("r", true)),
        byDefault(new PromptRow("0", "p", "r")));
    assertEquals(
        List.of(new Piece("i\nx", false), new Piece("o", true)),
        PromptTemplate.PLAIN.pieces(new InstructionRow("0", "i", "x", "o")));
  }

  @Test
  void questionsAreAskedAsInTofu() {
    assertEquals(
        List.of(new Piece("Question: Who?\nAnswer:", false), new Piece(" Me.", true)),
        byDefault(new QuestionRow("0", "Who?", "Me.")));
  }

  /** The texts are those of tatsu-lab/stanford_alpaca train.py, PROMPT_DICT. */
  @Test
  void alpacaIsStanfordsForm() {
    assertEquals(
        "Below is an instruction that describes a task, paired with an input that provides further"
            + " context. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\nAdd %d.\n\n### Input:\n1, 2\n\n### Response:",
        prompt(PromptTemplate.ALPACA, "Add %d.", "1, 2"));
    assertEquals(
        "Below is an instruction that describes a task. Write a response that appropriately"
            + " completes the request.\n\n### Instruction:\nSay hi.\n\n### Response:",
        prompt(PromptTemplate.ALPACA, "Say hi.", ""));
    assertEquals(
        prompt(PromptTemplate.ALPACA, "Say hi.", ""),
        byDefault(new InstructionRow("0", "Say hi.", "", "hi")).getFirst().text());
  }

  /** The texts are those of tloen/alpaca-lora templates/alpaca.json. */
  @Test
  void alpacaLoraEndsWithANewLine() {
    assertEquals(
        "Below is an instruction that describes a task, paired with an input that provides further"
            + " context. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:\n",
        prompt(PromptTemplate.ALPACA_LORA, "Add.", "1, 2"));
    assertEquals(
        "Below is an instruction that describes a task. Write a response that appropriately"
            + " completes the request.\n\n### Instruction:\nSay hi.\n\n### Response:\n",
        prompt(PromptTemplate.ALPACA_LORA, "Say hi.", ""));
  }

  /** The texts are those of SAI990323/TALLRec finetune_rec.py, generate_prompt. */
  @Test
  void tallrecHasItsCommentMark() {
    assertEquals(
        "Below is an instruction that describes a task, paired with an input that provides further"
            + " context. Write a response that appropriately completes the request.  # noqa: E501\n\n"
            + "### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:\n",
        prompt(PromptTemplate.TALLREC, "Add.", "1, 2"));
    assertEquals(
        "Below is an instruction that describes a task. Write a response that appropriately"
            + " completes the request.  # noqa: E501\n\n### Instruction:\nSay hi.\n\n### Response:\n",
        prompt(PromptTemplate.TALLREC, "Say hi.", ""));
  }

  private static String prompt(PromptTemplate template, String instruction, String input) {
    return template.pieces(new InstructionRow("0", instruction, input, "x")).getFirst().text();
  }

  @Test
  void everythingThatTheAssistantSaysIsSupervised() {
    Row row =
        new MessagesRow(
            "0",
            List.of(
                new Message("system", "Be kind."),
                new Message("user", "Hi"),
                new Message("assistant", "Hello"),
                new Message("user", "Bye"),
                new Message("assistant", "So long")));
    assertEquals(
        List.of(
            new Piece("System: Be kind.\n\nUser: Hi\n\nAssistant:", false),
            new Piece(" Hello", true),
            new Piece("User: Bye\n\nAssistant:", false),
            new Piece(" So long", true)),
        byDefault(row));
  }

  @Test
  void namesAreThoseThatUsersWrite() {
    for (PromptTemplate template : PromptTemplate.values()) {
      assertEquals(template, PromptTemplate.byName(template.label()));
    }
    FormatException e = assertThrows(FormatException.class, () -> PromptTemplate.byName("chatml"));
    assertTrue(e.getMessage().contains("[plain, qa, alpaca, alpaca-lora, tallrec, chat]"), e.getMessage());
  }

  @Test
  void aFormatWithoutAPlaceForTheRowSaysSo() {
    Row conversation = new MessagesRow("x7", List.of(new Message("user", "Hi")));
    FormatException e =
        assertThrows(FormatException.class, () -> PromptTemplate.QA.pieces(conversation));
    assertTrue(e.getMessage().contains("'x7'") && e.getMessage().contains("'chat'"));
    Row tokens = new TokenRow("0", new int[1], new int[1]);
    for (PromptTemplate template : PromptTemplate.values()) {
      assertThrows(FormatException.class, () -> template.pieces(tokens));
    }
  }

  private static List<Piece> byDefault(Row row) {
    return PromptTemplate.forRow(row).pieces(row);
  }
}
