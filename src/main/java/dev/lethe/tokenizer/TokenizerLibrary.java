package dev.lethe.tokenizer;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.util.Utils;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.natives.PrivateFolder;
import java.util.Locale;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Makes the tokenizers library safe to load, once. For the whole JVM it switches the library
 * offline (it would otherwise fetch a GPU build and report its use), points it at a private folder
 * for the native code that it unpacks, and quiets its progress messages.
 */
final class TokenizerLibrary {
  /** Held, because the logging system forgets the settings of loggers that nobody holds. */
  private static final Logger PROGRESS = Logger.getLogger("ai.djl");

  /**
   * It looks for GPUs, which tokenizing does not use, and complains of those that it cannot use.
   */
  private static final Logger GPU_SEARCH = Logger.getLogger("ai.djl.util.cuda");

  private static boolean prepared;

  private TokenizerLibrary() {}

  /** Throws {@link FormatException} where the library cannot be used on this machine. */
  static synchronized void prepare() {
    if (prepared) {
      return;
    }
    setUnlessSet("slf4j.internal.verbosity", "WARN");
    quieten(PROGRESS, Level.WARNING);
    quieten(GPU_SEARCH, Level.OFF);
    System.setProperty("ai.djl.offline", "true");
    if (!Utils.isOfflineMode()) {
      throw new FormatException(
          Kind.TOKENIZER_LIBRARY,
          "environment variable DJL_OFFLINE",
          "it would let the tokenizers library use the network",
          "true, or unset",
          System.getenv("DJL_OFFLINE"),
          "Unset DJL_OFFLINE");
    }
    requireNativeCode();
    setUnlessSet("DJL_CACHE_DIR", PrivateFolder.cache("djl").toString());
    PrivateFolder.require(Utils.getEngineCacheDir());
    setUnlessSet("jna.tmpdir", PrivateFolder.cache("jna").toString());
    prepared = true;
  }

  static FormatException unusable(Throwable cause) {
    return new FormatException(
        Kind.TOKENIZER_LIBRARY,
        "tokenizers library",
        "its native code cannot be loaded",
        "a system with a C library that it knows (glibc 2.34 or newer on Linux)",
        String.valueOf(cause.getMessage()),
        "Use data sets of input_ids and labels, which need no tokenizer",
        cause);
  }

  private static void requireNativeCode() {
    if (Utils.getEnvOrSystemProperty("RUST_LIBRARY_PATH") != null) {
      return;
    }
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String family = os.startsWith("win") ? "win" : os.startsWith("mac") ? "osx" : "linux";
    String arch = System.getProperty("os.arch");
    String platform = family + "-" + (arch.equals("amd64") ? "x86_64" : arch);
    String resource = "native/lib/" + platform + "/cpu/" + System.mapLibraryName("tokenizers");
    if (HuggingFaceTokenizer.class.getClassLoader().getResource(resource) == null) {
      throw new FormatException(
          Kind.TOKENIZER_LIBRARY,
          "tokenizers library",
          "it has no native code for this platform",
          "linux-x86_64, linux-aarch64, osx-aarch64 or win-x86_64",
          platform,
          "Use data sets of input_ids and labels, which need no tokenizer");
    }
  }

  private static void quieten(Logger logger, Level level) {
    if (logger.getLevel() == null) {
      logger.setLevel(level);
    }
  }

  private static void setUnlessSet(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }
}
