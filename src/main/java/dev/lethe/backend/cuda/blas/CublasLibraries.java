package dev.lethe.backend.cuda.blas;

import dev.lethe.natives.SystemLibraries;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Finds cuBLAS and cuBLASLt: in the folder, or beside the file, that the system property
 * {@value #PROPERTY} names, and nowhere else if it is set; otherwise in {@link UsualPlaces} and where the
 * system's loader looks, where only root and this user can write.
 */
final class CublasLibraries {
  static final String PROPERTY = "lethe.cublas";

  private static final boolean WINDOWS = File.separatorChar == '\\';

  private static final int RTLD_LAZY = 1;
  private static final FunctionDescriptor DLOPEN =
      FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
  private static final FunctionDescriptor DLERROR =
      FunctionDescriptor.of(
          ValueLayout.ADDRESS.withTargetLayout(
              MemoryLayout.sequenceLayout(Long.MAX_VALUE, ValueLayout.JAVA_BYTE)));

  private final String wanted;
  private final SystemLibraries system;
  private final List<Path> folders;
  private final Set<Refusal> refusals = new LinkedHashSet<>();

  /**
   * @param wanted value of the property, or null
   */
  CublasLibraries(String wanted, UsualPlaces places, SystemLibraries system) {
    this.wanted = wanted;
    this.system = system;
    this.folders = wanted == null ? places.folders() : List.of(folder(wanted));
  }

  /** As this process is set up. */
  static CublasLibraries ofProcess() {
    return new CublasLibraries(
        System.getProperty(PROPERTY),
        new UsualPlaces(
            System::getenv,
            Path.of(File.separator),
            Path.of(System.getProperty("user.home")),
            WINDOWS),
        SystemLibraries.ofProcess());
  }

  /** Adds what was found and turned out not to work. */
  void refuse(Refusal refusal) {
    refusals.add(refusal);
  }

  /** What was found and not taken, or not found, in order. */
  Collection<Refusal> refusals() {
    return refusals;
  }

  /**
   * Loads a library.
   *
   * @param name {@code cublas} or {@code cublasLt}
   * @return null where there is none that loads; {@link #refusals} says why
   */
  VendorLibrary find(String name, int major) {
    String file = WINDOWS ? name + "64_" + major + ".dll" : "lib" + name + ".so." + major;
    boolean there = false;
    for (Path folder : folders) {
      Path candidate = folder.resolve(file);
      if (Files.exists(candidate)) {
        there = true;
        VendorLibrary library = trusted(candidate) ? load(candidate, major) : null;
        if (library != null) {
          return library;
        }
      }
    }
    if (wanted == null) {
      SystemLibraries.Found found = system.find(file);
      found.objections().forEach(why -> refusals.add(new Refusal(file, why)));
      there |= !found.objections().isEmpty() || found.file() != null;
      if (found.file() != null) {
        return load(found.file(), major);
      }
    }
    if (!there) {
      refusals.add(new Refusal(file, whereNot()));
    }
    return null;
  }

  private String whereNot() {
    return wanted == null
        ? "not in CUDA_PATH, a toolkit, a Python package or on the system's library path"
        : "not in " + folders.getFirst() + ", where " + PROPERTY + " says";
  }

  /** What the user names is trusted; other places are where nobody else can write to them. */
  private boolean trusted(Path candidate) {
    Optional<String> objection = wanted == null ? SystemLibraries.objection(candidate) : Optional.empty();
    objection.ifPresent(why -> refusals.add(new Refusal(candidate.getFileName().toString(), why)));
    return objection.isEmpty();
  }

  private VendorLibrary load(Path file, int major) {
    try {
      return new VendorLibrary(
          file.toString(), major, SymbolLookup.libraryLookup(file, Arena.global()));
    } catch (IllegalArgumentException e) {
      refusals.add(new Refusal(file.toString(), "cannot be loaded: " + loaderError(file)));
      return null;
    }
  }

  /** What the system's loader says, which the lookup by Java keeps to itself. */
  private static String loaderError(Path file) {
    SymbolLookup system = Linker.nativeLinker().defaultLookup();
    MemorySegment open = system.find("dlopen").orElse(null);
    MemorySegment error = system.find("dlerror").orElse(null);
    if (open == null || error == null) {
      return "the system says no more";
    }
    String path = file.toAbsolutePath().toString();
    try (Arena arena = Arena.ofConfined()) {
      Linker.nativeLinker()
          .downcallHandle(open, DLOPEN)
          .invokeWithArguments(arena.allocateFrom(path), RTLD_LAZY);
      MemorySegment text =
          (MemorySegment) Linker.nativeLinker().downcallHandle(error, DLERROR).invokeExact();
      String message = text.equals(MemorySegment.NULL) ? "" : text.getString(0);
      return message.startsWith(path + ": ") ? message.substring(path.length() + 2) : message;
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private static Path folder(String place) {
    Path path = Path.of(place);
    return Files.isRegularFile(path) ? path.toAbsolutePath().getParent() : path;
  }
}
