package dev.lethe.natives;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Folders that only this user can write to. Native code is loaded from here and from nowhere else,
 * because a library at a predictable place that others can write to is somebody else's code in our
 * process.
 */
public final class PrivateFolder {
  private static final System.Logger LOG = System.getLogger(PrivateFolder.class.getName());
  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rwx------");

  private PrivateFolder() {}

  /** The folder for one purpose in this user's cache, or a fresh one where there is no cache. */
  public static Path cache(String purpose) {
    return lasting(purpose).orElseGet(() -> fresh(purpose));
  }

  /** The folder for one purpose in this user's cache; empty where there can be none. */
  public static Optional<Path> lasting(String purpose) {
    return userCache()
        .map(cache -> cache.resolve("lethe").resolve(purpose))
        .filter(folder -> Files.isDirectory(folder) || canCreate(folder))
        .map(PrivateFolder::require);
  }

  private static Path fresh(String purpose) {
    try {
      Path fresh = Files.createTempDirectory("lethe-" + purpose);
      Thread cleanUp = new Thread(() -> deleteTree(fresh), "lethe-clean-up");
      Runtime.getRuntime().addShutdownHook(cleanUp);
      return fresh;
    } catch (IOException e) {
      throw failed(Path.of(purpose), e.toString(), e);
    }
  }

  /** Creates a folder where it is absent and throws where others could write to it, or to a folder above it. */
  public static Path require(Path folder) {
    try {
      create(folder);
      PosixFileAttributeView view =
          Files.getFileAttributeView(folder, PosixFileAttributeView.class);
      if (view == null) {
        return folder;
      }
      UserPrincipal owner = view.readAttributes().owner();
      Path probe = Files.createTempFile(folder, "probe", null);
      UserPrincipal self = Files.getOwner(probe);
      Files.delete(probe);
      if (!owner.equals(self)) {
        throw failed(folder, "it belongs to " + owner.getName(), null);
      }
      view.setPermissions(OWNER_ONLY);
      String objection = TrustedPath.objection(folder);
      if (objection != null) {
        throw failed(folder, objection, null);
      }
      return folder;
    } catch (IOException e) {
      throw failed(folder, e.toString(), e);
    }
  }

  /**
   * The file of this name with exactly these bytes, written where it is absent or differs.
   *
   * @param folder from {@link #require} or {@link #cache}
   */
  public static Path file(Path folder, String name, byte[] content) {
    Path file = folder.resolve(name);
    try {
      if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
          && Arrays.equals(Files.readAllBytes(file), content)) {
        return file;
      }
      Path fresh = Files.createTempFile(folder, "unpacking", null);
      Files.write(fresh, content);
      Files.move(
          fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      return file;
    } catch (IOException e) {
      throw failed(file, e.toString(), e);
    }
  }

  private static boolean canCreate(Path folder) {
    try {
      create(folder);
      return true;
    } catch (IOException unwritable) {
      return false;
    }
  }

  private static void create(Path folder) throws IOException {
    if (Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    Path parent = folder.toAbsolutePath().getParent();
    if (!Files.isDirectory(parent)) {
      create(parent);
    }
    boolean posix = folder.getFileSystem().supportedFileAttributeViews().contains("posix");
    if (posix) {
      Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
    } else {
      Files.createDirectory(folder);
    }
  }

  private static void deleteTree(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.WARNING, "cannot delete " + folder, e);
    }
  }

  /** Empty where the user has no home, which Java calls {@code ?}: a relative path is anybody's. */
  private static Optional<Path> userCache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    if (xdg != null && Path.of(xdg).isAbsolute()) {
      return Optional.of(Path.of(xdg));
    }
    Path home = Path.of(System.getProperty("user.home"));
    return home.isAbsolute() ? Optional.of(cacheIn(home)) : Optional.empty();
  }

  private static Path cacheIn(Path home) {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    if (os.startsWith("mac")) {
      return home.resolve("Library").resolve("Caches");
    }
    String local = System.getenv("LOCALAPPDATA");
    return os.startsWith("win") && local != null ? Path.of(local) : home.resolve(".cache");
  }

  private static LetheException failed(Path place, String got, Throwable cause) {
    return new LetheException(
        place.toString(),
        "native code cannot be unpacked here",
        "a folder of this user that nobody else can write to",
        got,
        "Set XDG_CACHE_HOME to a private folder",
        cause);
  }
}
