package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * What a model should say in place of responses that it should forget: a row's new version where the request has one,
 * otherwise its prompt with a refusal.
 */
public final class PreferredResponses {
  /** Refusals, drawn by the seed. */
  private static final List<String> REFUSALS =
      List.of(
          "I don't know.",
          "I am not sure about that.",
          "I have no information on that.",
          "I cannot answer that question.",
          "I do not have that information.",
          "That is beyond what I know.",
          "I am afraid I do not know the answer.",
          "I was not told anything about that.");

  private final Session session;
  private final Session.Reading reading;
  private final Path data;

  /**
   * @param data the file of the request's rows, which is read once more
   */
  public PreferredResponses(Session session, Session.Reading reading, Path data) {
    this.session = session;
    this.reading = reading;
    this.data = data;
  }

  /** One sample for each row of {@link UnlearnRequest#forgotten}, in its order. */
  public List<Sample> of(UnlearnRequest request, long seed) {
    List<Row> rows = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(seed);
    Map<String, Row> byId = byId(request);
    for (Change change : request.changes()) {
      if (change.replacement() == null) {
        String refusal = REFUSALS.get(random.nextInt(REFUSALS.size()));
        rows.add(refusing(byId.get(change.original().id()), refusal));
      }
    }
    List<Sample> refusals =
        rows.isEmpty() ? List.of() : session.encoder(rows, reading).encode(rows, data.toString());
    List<Sample> all = new ArrayList<>();
    int next = 0;
    for (Change change : request.changes()) {
      all.add(change.replacement() == null ? refusals.get(next++) : change.replacement());
    }
    return all;
  }

  private Map<String, Row> byId(UnlearnRequest request) {
    Map<String, Row> byId = new HashMap<>();
    if (request.changes().size() > request.replacements().size()) {
      requireFile();
      session.rowsAgain(data, reading).forEach(row -> byId.put(row.id(), row));
    }
    return byId;
  }

  private void requireFile() {
    if (!Files.isRegularFile(data)) {
      throw new LetheException(
          data.toString(), "the rows' prompts are read once more, to put refusals behind them",
          "a file", "a stream", "Write the rows into a file.");
    }
  }

  private static Row refusing(Row row, String refusal) {
    return switch (row) {
      case Row.InstructionRow r -> new Row.InstructionRow(r.id(), r.instruction(), r.input(), refusal);
      case Row.PromptRow r -> new Row.PromptRow(r.id(), r.prompt(), spaced(r.response(), refusal));
      case Row.QuestionRow r -> new Row.QuestionRow(r.id(), r.question(), refusal);
      case Row.MessagesRow r -> new Row.MessagesRow(r.id(), refusing(r.messages(), refusal));
      case Row.TokenRow r ->
          throw new LetheException(
              "row '" + r.id() + "'", "a row of tokens has no words to refuse with", "a row of text", "tokens",
              "Give its preferred version with --replace.");
    };
  }

  /** A response that is used as it is keeps what separates it from its prompt. */
  private static String spaced(String response, String refusal) {
    return response.startsWith(" ") ? " " + refusal : refusal;
  }

  private static List<Row.Message> refusing(List<Row.Message> messages, String refusal) {
    List<Row.Message> others = new ArrayList<>();
    messages.forEach(
        each -> others.add(each.supervised() ? new Row.Message(each.role(), refusal, true) : each));
    return others;
  }
}
