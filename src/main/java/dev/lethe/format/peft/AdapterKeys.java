package dev.lethe.format.peft;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Keys of an adapter's tensors. A model's own state has the adapter's name in them, as in {@code
 * q_proj.lora_A.default.weight}; files that PEFT writes leave it out.
 */
final class AdapterKeys {
  private static final Pattern PAIR = Pattern.compile(".*\\.lora_(embedding_)?[AB](\\..*)?");
  private static final Pattern NAMED =
      Pattern.compile("(?<matrix>.*\\.lora_(?:[AB](?=\\.[^.]+\\.weight$)|embedding_[AB]))\\.(?<adapter>[^.]+)(?<end>.*)");

  private AdapterKeys() {}

  /** Throws where the keys are those of several adapters, or of one with and without its name. */
  static AdapterKeys of(Set<String> keys, Path file) {
    Set<String> adapters = new TreeSet<>();
    for (String key : keys) {
      Matcher named = NAMED.matcher(key);
      if (PAIR.matcher(key).matches()) {
        adapters.add(named.matches() ? "'" + named.group("adapter") + "'" : "no name");
      }
    }
    if (adapters.size() > 1) {
      throw new FormatException(
          Kind.ADAPTER_MISMATCH,
          file.toString(),
          "the tensors are those of several adapters",
          "one adapter",
          String.join(", ", adapters),
          "Save one adapter, with save_pretrained(…, selected_adapters=[…])");
    }
    return new AdapterKeys();
  }

  /** The key as PEFT writes it into a file. */
  String plain(String key) {
    return NAMED.matcher(key).replaceFirst("${matrix}${end}");
  }
}
