package dev.lethe.backend.cuda.driver;

import dev.lethe.Text;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The kernels compiled for GPUs, which the native build puts into the jar beside this class. */
final class KernelImages {
  private static final String MANIFEST = "kernels.json";
  private static final Pattern RELEASE = Pattern.compile("release (\\d+)\\.(\\d+)");

  private final Function<String, InputStream> files;
  private final String compiler;
  private final List<Entry> entries = new ArrayList<>();

  private record Entry(String file, String sha256) {}

  /**
   * @param files from a name to a file's content, null where it is absent
   */
  KernelImages(Function<String, InputStream> files) {
    this.files = files;
    try (InputStream manifest = files.apply(MANIFEST)) {
      if (manifest == null) {
        throw new CudaUnavailable(
            true,
            "this build of Lethe holds no GPU kernels: it was made without nvcc",
            "Build it with a CUDA toolkit's nvcc on the PATH (mvn -DskipTests package), or take a release.");
      }
      JsonNode json = JsonMapper.shared().readTree(manifest.readAllBytes());
      compiler = json.get("compiler").asString();
      for (JsonNode image : json.get("fatbins")) {
        entries.add(new Entry(image.get("file").asString(), image.get("sha256").asString()));
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + MANIFEST, e);
    }
  }

  static KernelImages ofJar() {
    return new KernelImages(KernelImages.class::getResourceAsStream);
  }

  int count() {
    return entries.size();
  }

  String name(int index) {
    return entries.get(index).file;
  }

  /** An image for cuModuleLoadData, its hash checked. */
  byte[] read(int index) {
    Entry entry = entries.get(index);
    try (InputStream content = files.apply(entry.file)) {
      byte[] bytes = content == null ? new byte[0] : content.readAllBytes();
      if (!entry.sha256.equalsIgnoreCase(sha256(bytes))) {
        throw new CudaUnavailable(
            true,
            "the GPU kernels in " + entry.file + " are damaged: their SHA-256 is not the manifest's",
            "Take a fresh copy of Lethe, or build it again from clean.");
      }
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + entry.file, e);
    }
  }

  /** A driver runs what compilers up to its own CUDA version's major number make. */
  void requireDriver(int version) {
    Matcher release = RELEASE.matcher(compiler);
    if (release.find() && version / 1000 < Integer.parseInt(release.group(1))) {
      throw tooOld(version, null);
    }
  }

  /**
   * The driver does not take these kernels.
   *
   * @param result the driver's word; null where it was not asked
   */
  CudaUnavailable tooOld(int version, String result) {
    return new CudaUnavailable(
        true,
        Text.format(
            "the driver for CUDA %s does not run kernels compiled by %s%s",
            Driver.versionText(version), compiler, result == null ? "" : ": " + result),
        "Update the NVIDIA driver (580 or newer for CUDA 13), or build Lethe with an older nvcc.");
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java has SHA-256", e);
    }
  }
}
