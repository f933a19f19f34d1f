package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.data.Sample;
import dev.lethe.session.Session;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The rows of a {@code --replace} file, named by the ids of those whose place they take. */
final class Replacements {
  private Replacements() {}

  /**
   * Reads them.
   *
   * @param file null for none
   * @param inOrder whether the rows have no ids and stand for the given ones, in order
   * @param option that the ids were given with
   */
  static List<Sample> read(
      LetheCommand command, Session session, Session.Reading reading, Path file, boolean inOrder, List<String> ids,
      String option) {
    if (file == null) {
      return List.of();
    }
    if (!inOrder) {
      return session.replacements(file, reading);
    }
    List<Sample> unnamed = session.samples(file, reading);
    if (unnamed.size() != ids.size()) {
      throw command.usage(
          Text.format(
              "--in-order pairs %d ids of %s with %d rows of %s; there must be equally many",
              ids.size(), option, unnamed.size(), file));
    }
    List<Sample> named = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      named.add(unnamed.get(i).named(ids.get(i)));
    }
    return named;
  }
}
