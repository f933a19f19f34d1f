package dev.lethe.assess;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The adapters of an assessment. Those of one run belong together; each number is a mean over runs. */
public final class Subjects implements AutoCloseable {
  private static final long CERTIFICATE_BYTES = 1L << 28;

  private final List<Run> runs = new ArrayList<>();
  private final List<Subject> noise;
  private final Subject base;
  private final Scope scope;

  /**
   * An original, what was unlearned from it, and the retraining that it should equal.
   *
   * @param original trained on everything
   * @param unlearned what unlearning made of it
   * @param retrained trained without the rows
   */
  public record Run(Subject original, Subject unlearned, Subject retrained) {}

  private Subjects(Scope scope, Subject base, List<Subject> noise) {
    this.scope = scope;
    this.base = base;
    this.noise = List.copyOf(noise);
  }

  /**
   * Opens adapters.
   *
   * @param original one folder, or one for each unlearned adapter
   * @param unlearned at least one folder
   * @param retrained one folder, or one for each unlearned adapter
   * @param noise further retrainings; may be empty
   */
  public static Subjects open(
      Session session, List<Path> original, List<Path> unlearned, List<Path> retrained, List<Path> noise) {
    requirePairs("--original", original.size(), unlearned.size());
    requirePairs("--retrained", retrained.size(), unlearned.size());
    session.withoutHiddenStates();
    List<Subject> before = open(session, Role.ORIGINAL, original);
    List<Subject> after = open(session, Role.UNLEARNED, unlearned);
    List<Subject> aim = open(session, Role.RETRAINED, retrained);
    Scope scope = session.backend().openScope("assessment");
    AdaptedModel bare = session.adapted((Path) null);
    Tensor none = scope.allocate(session.backend().vectorType(), 0);
    Subject base = new Subject(Role.BASE, "base model", bare, none, null, null);
    Subjects all = new Subjects(scope, base, open(session, Role.NOISE, noise));
    for (int i = 0; i < after.size(); i++) {
      all.runs.add(new Run(before.get(i % before.size()), after.get(i), aim.get(i % aim.size())));
    }
    return all;
  }

  private static void requirePairs(String option, int count, int unlearned) {
    if (count != 1 && count != unlearned) {
      throw new LetheException(
          option,
          "adapters cannot be paired",
          "one, or one for each of --unlearned",
          Text.format("%d for %d unlearned ones", count, unlearned),
          "Name them in the same order.");
    }
  }

  private static List<Subject> open(Session session, Role role, List<Path> folders) {
    List<Subject> subjects = new ArrayList<>();
    for (Path folder : folders) {
      AdaptedModel model = session.adapted(folder);
      String name = folder.toAbsolutePath().normalize().getFileName().toString();
      subjects.add(
          new Subject(role, name, model, model.adapter().theta(), model.adapter().sha256(), method(folder)));
    }
    return subjects;
  }

  private static String method(Path folder) {
    Path certificate = folder.resolve(UnlearnResult.CERTIFICATE);
    return Files.exists(certificate)
        ? StrictJson.readObject(certificate, CERTIFICATE_BYTES).path("method").path("name").stringValue(null)
        : null;
  }

  /** Adapters that belong together, at least one set of them. */
  public List<Run> runs() {
    return List.copyOf(runs);
  }

  /** The first original, unlearned and retrained adapter, which what is expensive is measured on. */
  public List<Subject> first() {
    Run run = runs.getFirst();
    return List.of(run.original(), run.unlearned(), run.retrained());
  }

  /** Further retrainings. */
  public List<Subject> noise() {
    return noise;
  }

  /** The model without an adapter. */
  public Subject base() {
    return base;
  }

  /** All adapters, each once. */
  public List<Subject> all() {
    List<Subject> all = new ArrayList<>();
    for (Run run : runs) {
      all.addAll(List.of(run.original(), run.unlearned(), run.retrained()));
    }
    all.addAll(noise);
    return all.stream().distinct().toList();
  }

  @Override
  public void close() {
    scope.close();
  }
}
