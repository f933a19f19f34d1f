package dev.lethe.backend.cuda.driver;

import dev.lethe.Text;
import dev.lethe.natives.PrivateFolder;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.Pointer;

/**
 * JCuda's native libraries, unpacked by us. JCuda loads whatever file has its library's name in the folder for
 * temporary files, which on a shared machine anybody may have put there. So each library is written to a folder
 * that only this user can write to, compared with the jar's by SHA-256 at every start, and JCuda is made to look
 * there by {@code java.io.tmpdir}, which is changed for the moment in which JCuda's class is initialised.
 *
 * <p>A library on {@code java.library.path} comes first, as everywhere in Java: whoever starts the JVM chooses
 * that path.
 */
public final class JCudaLibraries {
  private static final System.Logger LOG = System.getLogger(JCudaLibraries.class.getName());
  private static final String TEMPORARY_FOLDER = "java.io.tmpdir";
  private static final Path MAPPED_FILES = Path.of("/proc/self/maps");
  private static final Pattern LINK_ERROR =
      Pattern.compile("UnsatisfiedLinkError: (?:/.*?\\.so: )?([^\\r\\n]+)");

  private static final Map<String, String> FAILED = new HashMap<>();

  private JCudaLibraries() {}

  /**
   * Initialises one of JCuda's classes with its native library.
   *
   * @param binding for example {@code JCublas2.class}, which naming it here does not initialise
   * @param library the library's base name, {@code "JCublas2"}
   * @throws CudaUnavailable where there is no library for this platform, or it does not load
   */
  public static synchronized void initialize(Class<?> binding, String library) {
    String failed = FAILED.get(library);
    if (failed != null) {
      throw notLoaded(library, failed);
    }
    Path file = unpack(library);
    String before = System.getProperty(TEMPORARY_FOLDER);
    System.setProperty(TEMPORARY_FOLDER, file.getParent().toString());
    try {
      Class.forName(binding.getName(), true, binding.getClassLoader());
      requireOurs(file);
    } catch (ClassNotFoundException | LinkageError | RuntimeException e) {
      String reason = reason(e);
      FAILED.put(library, reason);
      throw notLoaded(library, reason);
    } finally {
      System.setProperty(TEMPORARY_FOLDER, before);
    }
  }

  private static Path unpack(String library) {
    String platformName =
        LibUtils.createPlatformLibraryName(library + "-" + JCudaVersion.get());
    String name = LibUtils.createLibraryFileName(platformName);
    try (InputStream content = Pointer.class.getResourceAsStream("/lib/" + name)) {
      if (content == null) {
        throw new CudaUnavailable(
            true,
            "JCuda's jars hold no native library for this platform: " + name,
            "Use Linux or Windows on x86-64, with JCuda's natives on the class path.");
      }
      return PrivateFolder.file(
          PrivateFolder.cache("jcuda-" + JCudaVersion.get()), name, content.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + name + " from JCuda's jar", e);
    }
  }

  /** Throws where the process has mapped a library of this name from a place that nobody chose. */
  private static void requireOurs(Path file) {
    List<Path> mapped = mapped(file.getFileName().toString());
    for (Path each : mapped) {
      boolean ours = each.equals(real(file));
      if (!ours && !onLibraryPath(each)) {
        throw new IllegalStateException("it was loaded from " + each + ", not from " + file);
      }
      LOG.log(System.Logger.Level.DEBUG, "loaded {0}", each);
    }
  }

  private static List<Path> mapped(String name) {
    if (!Files.isReadable(MAPPED_FILES)) {
      return List.of();
    }
    try (Stream<String> lines = Files.lines(MAPPED_FILES)) {
      return lines
          .filter(line -> line.endsWith("/" + name))
          .map(line -> Path.of(line.substring(line.indexOf('/'))))
          .distinct()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + MAPPED_FILES, e);
    }
  }

  private static boolean onLibraryPath(Path file) {
    String path = System.getProperty("java.library.path", "");
    return Stream.of(path.split(Pattern.quote(java.io.File.pathSeparator)))
        .filter(folder -> !folder.isEmpty())
        .anyMatch(folder -> file.equals(real(Path.of(folder).resolve(file.getFileName()))));
  }

  private static Path real(Path file) {
    try {
      return file.toRealPath();
    } catch (IOException absent) {
      return file;
    }
  }

  private static CudaUnavailable notLoaded(String library, String reason) {
    boolean denied = reason.contains("native access");
    return new CudaUnavailable(
        true,
        Text.format("JCuda's library %s does not load: %s", library, reason),
        denied
            ? NativeAccess.REMEDY
            : "See what the library needs (ldd on Linux), and that the driver is whole (nvidia-smi).");
  }

  /** The last link error in JCuda's report, which tells of the file that it unpacked; one line. */
  private static String reason(Throwable failure) {
    String text = String.valueOf(failure.getMessage());
    String last = text.lines().findFirst().orElse("");
    Matcher errors = LINK_ERROR.matcher(text);
    while (errors.find()) {
      last = errors.group(1);
    }
    return text.contains("Illegal native access") ? "the JVM denies native access" : last;
  }
}
