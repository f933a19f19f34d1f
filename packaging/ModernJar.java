import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassFile.ClassHierarchyResolverOption;
import java.lang.classfile.ClassFile.StackMapsOption;
import java.lang.classfile.ClassFileVersion;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeTransform;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * Gives the classes of a jar Java 8's format where theirs is older: {@code java packaging/ModernJar.java JAR}. Java's
 * caches leave out classes of older formats, which lack the types that the verifier wants to be told; here they are
 * computed. The code stays as it is. Of Lethe's dependencies only picocli, compiled for Java 5, needs it: reading its
 * classes takes half of the time of {@code lethe --help}.
 */
public final class ModernJar {
  private static final int FORMAT = ClassFile.JAVA_8_VERSION;

  private ModernJar() {}

  /** Rewrites the jar in its place. */
  public static void main(String[] args) throws IOException {
    Path jar = Path.of(args[0]);
    Path modern = jar.resolveSibling(jar.getFileName() + ".new");
    try (URLClassLoader own = new URLClassLoader(new URL[] {jar.toUri().toURL()});
        ZipInputStream in = new ZipInputStream(new BufferedInputStream(Files.newInputStream(jar)));
        ZipOutputStream out = new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(modern)))) {
      ClassFile format =
          ClassFile.of(
              StackMapsOption.GENERATE_STACK_MAPS,
              ClassHierarchyResolverOption.of(ClassHierarchyResolver.ofResourceParsing(own)));
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        byte[] bytes = in.readAllBytes();
        ZipEntry copy = new ZipEntry(entry.getName());
        copy.setTimeLocal(entry.getTimeLocal());
        out.putNextEntry(copy);
        out.write(entry.getName().endsWith(".class") ? modern(format, bytes) : bytes);
        out.closeEntry();
      }
    }
    Files.move(modern, jar, StandardCopyOption.REPLACE_EXISTING);
  }

  private static byte[] modern(ClassFile format, byte[] bytes) {
    ClassModel model = format.parse(bytes);
    if (model.majorVersion() >= FORMAT) {
      return bytes;
    }
    ClassTransform version =
        (builder, element) -> {
          if (element instanceof ClassFileVersion) {
            builder.withVersion(FORMAT, 0);
          } else {
            builder.with(element);
          }
        };
    return format.transformClass(model, version.andThen(ClassTransform.transformingMethodBodies(CodeTransform.ACCEPT_ALL)));
  }
}
