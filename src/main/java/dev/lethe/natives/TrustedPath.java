package dev.lethe.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;

/**
 * Whether nobody but root and this user can change what lies at a path. Who may write to one of the folders above a file
 * can put another one in its place, so every folder up to the root counts. On systems without owners and modes of files
 * every path is trusted.
 */
public final class TrustedPath {
  private static final int ROOT = 0;
  private static final int GROUP_WRITES = 0020;
  private static final int OTHERS_WRITE = 0002;
  private static final int STICKY = 01000;

  private TrustedPath() {}

  /**
   * Why somebody else could change what is at a path.
   *
   * @param path exists; links are followed
   * @return one clause; null where nobody can
   */
  public static String objection(Path path) throws IOException {
    if (!path.getFileSystem().supportedFileAttributeViews().contains("unix")) {
      return null;
    }
    int self = self();
    for (Path at = path.toRealPath(); at != null; at = at.getParent()) {
      String objection = objection(at, self);
      if (objection != null) {
        return objection;
      }
    }
    return null;
  }

  private static String objection(Path at, int self) throws IOException {
    Map<String, Object> attributes = Files.readAttributes(at, "unix:mode,uid,gid", LinkOption.NOFOLLOW_LINKS);
    int mode = (Integer) attributes.get("mode");
    int owner = (Integer) attributes.get("uid");
    int group = (Integer) attributes.get("gid");
    if (owner != ROOT && owner != self) {
      return at + " belongs to user " + owner;
    }
    // In a sticky folder everybody makes files and only their owners rename them.
    boolean sticky = Files.isDirectory(at) && (mode & STICKY) != 0;
    // A group of root's, or of the number of its only user, has no other members.
    boolean groupOfOne = group == ROOT || group == owner;
    boolean shared = (mode & OTHERS_WRITE) != 0 || ((mode & GROUP_WRITES) != 0 && !groupOfOne);
    return shared && !sticky ? "others can write to " + at : null;
  }

  private static int self() throws IOException {
    Path process = Path.of("/proc/self");
    if (Files.exists(process)) {
      return (Integer) Files.getAttribute(process, "unix:uid");
    }
    Path probe = Files.createTempFile("lethe", null);
    try {
      return (Integer) Files.getAttribute(probe, "unix:uid");
    } finally {
      Files.delete(probe);
    }
  }
}
