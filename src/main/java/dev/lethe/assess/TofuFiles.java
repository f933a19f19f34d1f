package dev.lethe.assess;

import dev.lethe.LetheException;
import dev.lethe.evaluate.TofuQuestion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The benchmark's perturbed files.
 *
 * @param forget questions of all {@code forget*_perturbed.json} that are there
 * @param retain of {@code retain_perturbed.json}
 * @param realAuthors of {@code real_authors_perturbed.json}
 * @param worldFacts of {@code world_facts_perturbed.json}
 */
public record TofuFiles(
    List<TofuQuestion> forget, List<TofuQuestion> retain, List<TofuQuestion> realAuthors, List<TofuQuestion> worldFacts) {

  /** Reads a folder that has them under their own names. */
  public static TofuFiles read(Path folder) {
    List<TofuQuestion> forget = new ArrayList<>();
    for (Path file : forgetFiles(folder)) {
      forget.addAll(TofuQuestion.read(file));
    }
    return new TofuFiles(
        forget,
        TofuQuestion.read(folder.resolve("retain_perturbed.json")),
        TofuQuestion.read(folder.resolve("real_authors_perturbed.json")),
        TofuQuestion.read(folder.resolve("world_facts_perturbed.json")));
  }

  /** Questions about the fictitious authors, each once: what is forgotten may be any of them. */
  List<TofuQuestion> all() {
    Set<String> asked = new LinkedHashSet<>();
    List<TofuQuestion> all = new ArrayList<>(forget);
    all.addAll(retain);
    return all.stream().filter(q -> asked.add(q.answer().question())).toList();
  }

  private static List<Path> forgetFiles(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> file.getFileName().toString().matches("forget\\d+_perturbed\\.json")).sorted().toList();
    } catch (IOException e) {
      throw new LetheException(
          folder.toString(), "cannot be listed", "a folder with TOFU's *_perturbed.json files", e.toString(),
          "Name the folder that has them.", e);
    }
  }
}
