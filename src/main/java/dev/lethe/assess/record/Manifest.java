package dev.lethe.assess.record;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The hash chain of an assessment: data, original adapters, request, unlearned adapters, retrained ones, record, report.
 * Each link's chain value is the hash of the one before, its name and its own hash, so the last value stands for all of
 * them, and is what is signed.
 */
public final class Manifest {
  /** Its name in the folder. */
  public static final String FILE = "manifest.json";

  private static final String FORMAT = "lethe-manifest/1";
  private static final long MAX_BYTES = 1L << 28;

  private Manifest() {}

  /**
   * A link.
   *
   * @param name what it is
   * @param sha256 its hash
   * @param chain the hash of all up to it
   */
  public record Link(String name, String sha256, String chain) {}

  /**
   * The manifest of a folder that holds record and report.
   *
   * @param key null for a chain that is not signed
   */
  public static ObjectNode of(Path folder, PrivateKey key) {
    List<Link> links = links(folder);
    ObjectNode json = StrictJson.newObject().put("format", FORMAT);
    ArrayNode array = json.putArray("links");
    links.forEach(
        link -> array.addObject().put("name", link.name()).put("sha256", link.sha256()).put("chain", link.chain()));
    return json.put("signature", key == null ? null : Signing.sign(key, signed(links)));
  }

  /**
   * Checks a folder: computes the chain again from the record and the bytes of both files, compares it link by link, and
   * checks the signature.
   *
   * @param key null to leave the signature unchecked
   * @return the links
   * @throws LetheException where something does not agree
   */
  public static List<Link> verify(Path folder, PublicKey key) {
    Path file = folder.resolve(FILE);
    ObjectNode json = StrictJson.readObject(file, MAX_BYTES);
    List<Link> links = links(folder);
    JsonNode kept = json.path("links");
    for (int i = 0; i < Math.max(links.size(), kept.size()); i++) {
      String expected = i < kept.size() ? text(link(kept.get(i))) : "nothing";
      String got = i < links.size() ? text(links.get(i)) : "nothing";
      if (!expected.equals(got)) {
        throw refused(file, Text.format("link %d of the chain does not agree", i + 1), expected, got);
      }
    }
    String signature = json.path("signature").stringValue(null);
    if (key != null && (signature == null || !Signing.verifies(key, signed(links), signature))) {
      String got = signature == null ? "no signature" : "another one";
      throw refused(file, "the chain is not signed by this key", "a signature of the key's owner", got);
    }
    return links;
  }

  private static Link link(JsonNode json) {
    return new Link(json.path("name").asString(""), json.path("sha256").asString(""), json.path("chain").asString(""));
  }

  private static String text(Link link) {
    return Text.format("%s %s, chain %s", link.name(), link.sha256(), link.chain());
  }

  /** Whether a folder's chain is signed, by whomever. */
  public static boolean isSigned(Path folder) {
    return StrictJson.readObject(folder.resolve(FILE), MAX_BYTES).path("signature").isString();
  }

  private static LetheException refused(Path file, String problem, String expected, String got) {
    return new LetheException(
        file.toString(), problem, expected, got, "The folder is not as it was written; ask for it again.");
  }

  private static List<Link> links(Path folder) {
    Path file = folder.resolve(AssessmentFolder.RECORD);
    ObjectNode record = StrictJson.readObject(file, MAX_BYTES);
    List<Link> links = new ArrayList<>();
    add(links, "data", record.path("hashes").path("data").asString(""));
    adapters(links, record, "original");
    add(links, "request", record.path("hashes").path("request").asString(""));
    adapters(links, record, "unlearned");
    adapters(links, record, "retrained");
    add(links, AssessmentFolder.RECORD, Sha256.ofBytes(file));
    add(links, AssessmentFolder.REPORT, Sha256.ofBytes(folder.resolve(AssessmentFolder.REPORT)));
    return links;
  }

  private static void adapters(List<Link> links, ObjectNode record, String role) {
    for (JsonNode adapter : record.path("adapters")) {
      if (adapter.path("role").asString("").equals(role)) {
        add(links, role + " adapter " + adapter.path("name").asString(""), adapter.path("sha256").asString(""));
      }
    }
  }

  private static void add(List<Link> links, String name, String sha256) {
    String before = links.isEmpty() ? "" : links.getLast().chain();
    links.add(new Link(name, sha256, Sha256.start().add(before).add(name).add(sha256).hex()));
  }

  private static String signed(List<Link> links) {
    return FORMAT + " " + links.getLast().chain();
  }
}
