package dev.lethe.session;

import dev.lethe.data.ChatTemplate;
import dev.lethe.data.Dataset;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.PromptForm;
import dev.lethe.data.Row;
import dev.lethe.format.FormatException;
import dev.lethe.format.gguf.GgufModel;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Data files as a model's session reads them.
 *
 * @param tokenizer gives null where the model has none; asked only where a row is text
 * @param notes is told what the files say that is not used
 * @param skipBadRows whether rows that cannot be used are left out
 */
record RowReader(
    ModelFiles folder,
    Session.Reading reading,
    Supplier<Tokenizer> tokenizer,
    Consumer<String> notes,
    boolean skipBadRows) {

  /** A data set as samples. */
  LoadedRows load(Path file, boolean idsRequired) {
    Dataset data = dataset(file, idsRequired);
    Encoder encoder = encoder(data.rows());
    LoadedRows loaded = data.encode(encoder, skipBadRows);
    loaded.notes().forEach(notes);
    encoder.notes().forEach(notes);
    return loaded;
  }

  /** A data set's rows as they stand there. */
  List<Row> rows(Path file) {
    Dataset data = dataset(file, false);
    data.notes().forEach(notes);
    return data.rows();
  }

  Dataset dataset(Path file, boolean idsRequired) {
    return DatasetReader.open(file, reading.fields(), idsRequired, skipBadRows);
  }

  Encoder encoder(List<Row> rows) {
    boolean tokensOnly = rows.stream().allMatch(row -> row instanceof Row.TokenRow);
    TransformerSpec spec = ModelFamily.spec(folder.config(), folder.path().toString());
    long context = spec.maxPositions();
    long longest = reading.maxLength() == 0 ? context : Math.min(context, reading.maxLength());
    return tokensOnly
        ? new Encoder(null, reading.template(), longest, spec.vocabulary())
        : Encoder.of(tokenizer.get(), form(rows), longest, spec.vocabulary());
  }

  /** The model's chat template where the reading may use it; null where it does not or the folder has none. */
  ChatTemplate chatTemplate() {
    if (reading.template() != null) {
      return null;
    }
    LocalDateTime now =
        reading.day() == null ? LocalDateTime.now() : reading.day().atStartOfDay();
    if (folder instanceof GgufModel gguf) {
      String source = gguf.chatTemplate();
      return source == null ? null : ChatTemplate.of(gguf.path(), source, reading.supervise(), now);
    }
    return ChatTemplate.of(folder.path(), reading.supervise(), now);
  }

  private PromptForm form(List<Row> rows) {
    ChatTemplate chat = chatTemplate();
    if (reading.byModel() && chat == null) {
      throw new FormatException(
          FormatException.Kind.FILE_MISSING,
          folder.path().toString(),
          "the model has no chat template",
          "chat_template.jinja, chat_template in tokenizer_config.json, or tokenizer.chat_template in a GGUF file",
          "none of them",
          "Use another --template");
    }
    PromptForm fixed = PromptForm.fixed(reading.template(), reading.supervise());
    if (chat == null) {
      return fixed;
    }
    PromptForm byChat = chat.naming(tokenizer.get() == null ? Map.of() : tokenizer.get().named());
    if (reading.byModel() || rows.stream().anyMatch(row -> row instanceof Row.MessagesRow)) {
      notes.accept("rows are rendered by " + chat.description());
    }
    return reading.byModel()
        ? byChat
        : (row, where) -> (row instanceof Row.MessagesRow ? byChat : fixed).render(row, where);
  }
}
