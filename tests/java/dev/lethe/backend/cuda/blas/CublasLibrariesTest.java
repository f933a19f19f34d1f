package dev.lethe.backend.cuda.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.natives.SystemLibraries;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where NVIDIA's libraries are looked for, and what is said of those that do not load. */
final class CublasLibrariesTest {
  private static final String LT = "libcublasLt.so.13";

  @TempDir Path temporary;

  private Path root;

  @BeforeEach
  void resolveLinks() throws IOException {
    root = temporary.toRealPath();
  }

  @AfterEach
  void removeLinks() throws IOException {
    FakeCublas.removeLinks(root);
  }

  private UsualPlaces places(Map<String, String> environment, boolean windows) {
    return new UsualPlaces(environment::get, root, root.resolve("home/me"), windows);
  }

  private SystemLibraries system() {
    return new SystemLibraries(Map.<String, String>of()::get, root);
  }

  private void folder(String path) throws IOException {
    Files.createDirectories(root.resolve(path));
  }

  private List<String> found(Map<String, String> environment, boolean windows) {
    return places(environment, windows).folders().stream()
        .map(path -> root.relativize(path).toString())
        .toList();
  }

  @Test
  void theUsualPlacesInTheirOrder() throws IOException {
    List<String> expected =
        List.of(
            "my/toolkit/lib64",
            "conda/lib",
            "usr/local/cuda/lib64",
            "usr/local/cuda-13.0/lib64",
            "usr/local/cuda-13.0/targets/x86_64-linux/lib",
            "usr/local/cuda-12.10/lib64",
            "usr/local/cuda-12.9/lib64",
            "venv/lib/python3.12/site-packages/nvidia/cu13/lib",
            "venv/lib/python3.12/site-packages/nvidia/cublas/lib",
            "conda/lib/python3.11/site-packages/nvidia/cublas/lib",
            "work/project/lib/python3.12/site-packages/nvidia/cu13/lib",
            "home/me/.local/lib/python3.12/site-packages/nvidia/cu13/lib",
            "home/me/.venv/lib/python3.12/site-packages/nvidia/cu13/lib",
            "home/me/pytorch/lib/python3.12/site-packages/nvidia/cu13/lib",
            "home/me/project/.venv/lib/python3.12/site-packages/nvidia/cu13/lib",
            "home/me/project/venv/lib/python3.12/site-packages/nvidia/cublas/lib",
            "usr/local/lib/python3.11/dist-packages/nvidia/cublas/lib",
            "usr/lib/python3/dist-packages/nvidia/cublas/lib",
            "opt/tool/lib/python3.13/site-packages/nvidia/cu13/lib",
            "opt/app/venv/lib/python3.13/site-packages/nvidia/cu13/lib");
    for (String each : expected) {
      folder(each);
    }
    folder("work/project/bin");
    Path python = Files.createFile(root.resolve("work/project/bin/python3"));
    python.toFile().setExecutable(true);
    Map<String, String> environment =
        Map.of(
            "CUDA_PATH", root.resolve("my/toolkit").toString(),
            "CUDA_HOME", "",
            "VIRTUAL_ENV", root.resolve("venv").toString(),
            "PATH", "." + File.pathSeparator + root.resolve("usr/bin") + File.pathSeparator + python.getParent(),
            "CONDA_PREFIX", root.resolve("conda").toString());
    assertEquals(expected, found(environment, false));
  }

  @Test
  void onWindowsToo() throws IOException {
    folder("toolkit/bin/x64");
    folder("venv/Lib/site-packages/nvidia/cu13/bin/x86_64");
    folder("venv/Lib/site-packages/nvidia/cublas/bin");
    Map<String, String> environment =
        Map.of(
            "CUDA_PATH", root.resolve("toolkit").toString(),
            "VIRTUAL_ENV", root.resolve("venv").toString());
    assertEquals(
        List.of(
            "toolkit/bin/x64",
            "toolkit/bin",
            "venv/Lib/site-packages/nvidia/cu13/bin/x86_64",
            "venv/Lib/site-packages/nvidia/cublas/bin"),
        found(environment, true));
  }

  @Test
  void aBrokenFileIsNamedWithTheLoadersWordsAndTheNextIsTaken() throws IOException {
    FakeCublas.lt("");
    folder("usr/local/cuda/lib64");
    folder("usr/local/cuda-13.0/lib64");
    Path broken = Files.writeString(root.resolve("usr/local/cuda/lib64").resolve(LT), "no library");
    Path good = root.resolve("usr/local/cuda-13.0/lib64").resolve(LT);
    Files.createSymbolicLink(good, FakeCublas.FOLDER.resolve(LT));
    CublasLibraries libraries = new CublasLibraries(null, places(Map.of(), false), system());
    assertEquals(good.toString(), libraries.find("cublasLt", 13).place());
    assertEquals(
        List.of(broken + ": cannot be loaded: file too short"),
        libraries.refusals().stream().map(Refusal::toString).toList());
  }

  @Test
  void aLibraryThatOthersCouldHavePutThereIsNotLoaded() throws IOException {
    FakeCublas.lt("");
    folder("usr/local/cuda/lib64");
    folder("usr/lib64");
    Path open = root.resolve("usr/local/cuda");
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path planted = Files.writeString(open.resolve("lib64").resolve(LT), "planted");
    Path good = root.resolve("usr/lib64").resolve(LT);
    Files.createSymbolicLink(good, FakeCublas.FOLDER.resolve(LT));
    CublasLibraries libraries = new CublasLibraries(null, places(Map.of(), false), system());
    assertEquals(good.toString(), libraries.find("cublasLt", 13).place());
    assertEquals(
        List.of(LT + ": " + planted + " is not trusted: others can write to " + open),
        libraries.refusals().stream().map(Refusal::toString).toList());
  }

  @Test
  void whatIsNowhereIsSaidOnce() {
    CublasLibraries libraries = new CublasLibraries(null, places(Map.of(), false), system());
    assertNull(libraries.find("cublasLt", 11));
    assertNull(libraries.find("cublasLt", 11));
    assertEquals(
        List.of(
            "libcublasLt.so.11: not in CUDA_PATH, a toolkit, a Python package"
                + " or on the system's library path"),
        libraries.refusals().stream().map(Refusal::toString).toList());
  }

  @Test
  void thePropertyNamesAFolderOrAFileAndIsTheOnlyPlace() throws IOException {
    FakeCublas.lt("");
    folder("usr/local/cuda/lib64");
    Files.createSymbolicLink(
        root.resolve("usr/local/cuda/lib64").resolve(LT), FakeCublas.FOLDER.resolve(LT));
    folder("mine");
    CublasLibraries empty =
        new CublasLibraries(root.resolve("mine").toString(), places(Map.of(), false), system());
    assertNull(empty.find("cublasLt", 13));
    String reason = empty.refusals().iterator().next().reason();
    assertEquals("not in " + root.resolve("mine") + ", where lethe.cublas says", reason);
    for (Path place : List.of(FakeCublas.FOLDER, FakeCublas.FOLDER.resolve("libcublas.so.13"))) {
      CublasLibraries there = new CublasLibraries(place.toString(), places(Map.of(), false), system());
      assertEquals(FakeCublas.FOLDER.resolve(LT).toString(), there.find("cublasLt", 13).place());
      assertTrue(there.refusals().isEmpty());
    }
  }
}
