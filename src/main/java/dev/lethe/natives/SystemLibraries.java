package dev.lethe.natives;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Where the system's loader would find a library, as an absolute path that is {@linkplain TrustedPath trusted}. The
 * loader itself also looks below the working directory, where LD_LIBRARY_PATH has an empty or relative entry; nothing
 * is taken from there.
 */
public final class SystemLibraries {
  private static final String SEARCH_PATH = "LD_LIBRARY_PATH";
  private static final List<String> USUAL =
      List.of(
          "lib64", "usr/lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu",
          "usr/lib/aarch64-linux-gnu", "usr/lib", "usr/lib/wsl/lib", "usr/local/nvidia/lib64", "usr/local/nvidia/lib",
          "usr/lib64/nvidia", "usr/lib/nvidia", "usr/lib/x86_64-linux-gnu/nvidia/current", "run/opengl-driver/lib");

  private final UnaryOperator<String> environment;
  private final Path root;

  /**
   * @param environment values of environment variables, null where unset
   * @param root of the file system
   */
  public SystemLibraries(UnaryOperator<String> environment, Path root) {
    this.environment = environment;
    this.root = root;
  }

  /** As this process is set up. */
  public static SystemLibraries ofProcess() {
    return new SystemLibraries(System::getenv, Path.of(File.separator));
  }

  /**
   * What was found of a library.
   *
   * @param file the first that is trusted; null where there is none
   * @param objections to those before it, one clause each
   */
  public record Found(Path file, List<String> objections) {
    public Found {
      objections = List.copyOf(objections);
    }
  }

  /** Looks for a library by the name of its file. */
  public Found find(String name) {
    List<String> objections = new ArrayList<>();
    for (Path candidate : candidates(name)) {
      Optional<String> objection = objection(candidate);
      if (objection.isEmpty()) {
        return new Found(candidate, objections);
      }
      objections.add(objection.get());
    }
    return new Found(null, objections);
  }

  /** Why a library that exists is not to be loaded; empty where it may be. */
  public static Optional<String> objection(Path library) {
    try {
      return Optional.ofNullable(TrustedPath.objection(library)).map(why -> library + " is not trusted: " + why);
    } catch (IOException unreadable) {
      return Optional.of(library + " cannot be looked at: " + unreadable);
    }
  }

  private Set<Path> candidates(String name) {
    Set<Path> found = new LinkedHashSet<>();
    String chosen = Optional.ofNullable(environment.apply(SEARCH_PATH)).orElse("");
    Stream.concat(
            Stream.of(chosen.split(Pattern.quote(File.pathSeparator))).map(Path::of).filter(Path::isAbsolute),
            USUAL.stream().map(root::resolve))
        .map(folder -> folder.resolve(name))
        .filter(Files::exists)
        .forEach(found::add);
    found.addAll(inLoaderCache(name));
    return found;
  }

  /** Absolute paths of a library in the loader's cache, which names libraries of all folders that it knows. */
  private List<Path> inLoaderCache(String name) {
    String cache;
    try {
      cache = Files.readString(root.resolve("etc/ld.so.cache"), StandardCharsets.ISO_8859_1);
    } catch (IOException absent) {
      return List.of();
    }
    Matcher entries = Pattern.compile("\0(/[^\0]*/" + Pattern.quote(name) + ")\0").matcher(cache);
    List<Path> found = new ArrayList<>();
    while (entries.find()) {
      Path file = Path.of(entries.group(1));
      if (Files.exists(file)) {
        found.add(file);
      }
    }
    return found;
  }
}
