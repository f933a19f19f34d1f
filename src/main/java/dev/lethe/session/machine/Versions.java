package dev.lethe.session.machine;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.jar.Attributes;
import java.util.jar.Manifest;

/**
 * What a result was made with.
 *
 * @param lethe the version; {@code development} where the classes do not come from a jar
 * @param commit the commit that the build started from; {@code unknown} where there was no Git
 * @param java the Java version and its vendor
 * @param system name, version and architecture of the operating system
 * @param cpu the processor's name
 */
public record Versions(String lethe, String commit, String java, String system, String cpu) {
  /** Those of this process. */
  public static Versions current() {
    Attributes jar = manifest();
    return new Versions(
        text(jar.getValue(Attributes.Name.IMPLEMENTATION_VERSION), "development"),
        text(commitOfBuild(), "unknown"),
        property("java.runtime.version") + " (" + property("java.vendor") + ")",
        property("os.name") + " " + property("os.version") + " " + property("os.arch"),
        Machine.current().cpu());
  }

  /** Name by name, for records. */
  public Map<String, String> toMap() {
    Map<String, String> map = new LinkedHashMap<>();
    map.put("lethe", lethe);
    map.put("commit", commit);
    map.put("java", java);
    map.put("system", system);
    map.put("cpu", cpu);
    return map;
  }

  private static String commitOfBuild() {
    Properties git = new Properties();
    try (InputStream in = Versions.class.getResourceAsStream("git.properties")) {
      if (in != null) {
        git.load(in);
      }
    } catch (IOException unreadable) {
      return null;
    }
    return git.getProperty("git.commit.id.abbrev");
  }

  private static String property(String name) {
    return System.getProperty(name);
  }

  private static String text(String value, String fallback) {
    return value == null || value.isBlank() ? fallback : value;
  }

  private static Attributes manifest() {
    URL self = Versions.class.getResource("Versions.class");
    if (self == null || !self.getProtocol().equals("jar")) {
      return new Attributes();
    }
    String place = self.toString();
    String manifest = place.substring(0, place.indexOf('!')) + "!/META-INF/MANIFEST.MF";
    try (InputStream in = new URI(manifest).toURL().openStream()) {
      return new Manifest(in).getMainAttributes();
    } catch (IOException | URISyntaxException noManifest) {
      return new Attributes();
    }
  }
}
