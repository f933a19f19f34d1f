package dev.lethe.session;

import dev.lethe.format.StrictJson;
import dev.lethe.format.gguf.GgufModel;
import dev.lethe.format.gguf.GgufTokenizer;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.tokenizer.HfTokenizer;
import dev.lethe.tokenizer.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.databind.node.ObjectNode;

/** The tokenizer of a model, or of another folder, opened when first asked for or beside other work. */
final class OpenTokenizer implements AutoCloseable {
  private static final String FILE = "tokenizer.json";

  private final ModelFiles model;
  private Path folder;
  private Tokenizer tokenizer;
  private Meanwhile<Tokenizer> ahead;

  OpenTokenizer(ModelFiles model) {
    this.model = model;
  }

  /** Takes the one of another folder; null: the model's own. */
  synchronized void in(Path other) {
    folder = other;
    dropAhead();
  }

  /** Begins to open it on a thread of its own. */
  synchronized void readAhead() {
    if (tokenizer == null && ahead == null) {
      ahead = new Meanwhile<>("lethe-tokenizer", this::open);
    }
  }

  /** The tokenizer; null where the model has none. What it says of its files is told when it is first asked for. */
  synchronized Tokenizer get(Consumer<String> notes) {
    if (tokenizer == null) {
      tokenizer = ahead == null ? open() : ahead.get();
      ahead = null;
      if (tokenizer != null) {
        tokenizer.notes().forEach(notes);
      }
    }
    return tokenizer;
  }

  /** The tokenizer's files by name where a GGUF file holds them; none otherwise. */
  Map<String, String> own() {
    Map<String, String> files = new LinkedHashMap<>();
    if (model instanceof GgufModel gguf && gguf.hasTokenizer()) {
      GgufTokenizer own = gguf.tokenizer();
      ObjectNode config = StrictJson.newObject();
      own.named().forEach(config::put);
      files.put(FILE, own.json());
      files.put("tokenizer_config.json", StrictJson.write(config));
      if (gguf.chatTemplate() != null) {
        files.put("chat_template.jinja", gguf.chatTemplate());
      }
    }
    return files;
  }

  private Tokenizer open() {
    if (folder != null) {
      return HfTokenizer.open(folder);
    }
    if (model instanceof GgufModel gguf) {
      if (!gguf.hasTokenizer()) {
        return null;
      }
      GgufTokenizer own = gguf.tokenizer();
      return HfTokenizer.of(gguf.path(), own.json(), own.bosId(), own.eosId(), own.vocabSize(), own.named());
    }
    return Files.exists(model.path().resolve(FILE)) ? HfTokenizer.open(model.path()) : null;
  }

  private void dropAhead() {
    if (ahead != null) {
      ahead.then(OpenTokenizer::closeUnused);
      ahead = null;
    }
  }

  private static void closeUnused(Tokenizer unused) {
    if (unused != null) {
      unused.close();
    }
  }

  @Override
  public synchronized void close() {
    dropAhead();
    closeUnused(tokenizer);
  }
}
