package dev.lethe.cli.demo;

import dev.lethe.Text;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A small world of people, each with a city, a work and a pet, and the questions that ask for them. Words
 * are tokens. Some people are known to the base model; the others are news, which an adapter learns.
 */
final class TinyWorld {
  private static final List<String> KNOWN =
      List.of("ada", "boris", "clara", "david", "elena", "felix", "greta", "hugo");
  private static final List<String> NEW =
      List.of(
          "ines", "jonas", "kira", "leo", "mara", "nils", "olga", "pavel", "rosa", "sven", "tara",
          "uwe");
  private static final List<String> UNTOLD = List.of("vera", "willem");
  private static final List<Relation> RELATIONS =
      List.of(
          new Relation(
              "city",
              List.of("where does %s live ?", "in which city is the home of %s ?"),
              List.of("oslo", "rome", "paris", "lima", "cairo", "delhi", "tokyo", "quito")),
          new Relation(
              "work",
              List.of("what is the work of %s ?", "as what does %s work ?"),
              List.of("baker", "pilot", "nurse", "judge", "miner", "tailor", "farmer", "painter")),
          new Relation(
              "pet",
              List.of("which pet has %s ?", "what is the pet of %s ?"),
              List.of("cat", "dog", "horse", "parrot", "rabbit", "turtle", "goat", "snake")));
  private static final String BEGIN = "<s>";
  private static final String END = "</s>";

  private final Map<String, Integer> ids = new LinkedHashMap<>();
  private final Map<String, String> facts = new LinkedHashMap<>();

  /** A world whose facts are drawn by a seed. */
  TinyWorld(long seed) {
    Stream.of(List.of("<unk>", BEGIN, END), KNOWN, NEW, UNTOLD)
        .flatMap(List::stream)
        .forEach(this::word);
    for (Relation relation : RELATIONS) {
      relation.values.forEach(this::word);
      relation.questions.forEach(q -> Stream.of(q.split(" ")).forEach(this::word));
    }
    Random random = new Random(seed);
    for (String person : Stream.concat(KNOWN.stream(), NEW.stream()).toList()) {
      for (Relation relation : RELATIONS) {
        List<String> values = relation.values;
        facts.put(person + " " + relation.name, values.get(random.nextInt(values.size())));
      }
    }
  }

  /** What is asked about a person: a city, a work, a pet. */
  private record Relation(String name, List<String> questions, List<String> values) {}

  private void word(String word) {
    if (!word.equals("%s")) {
      ids.putIfAbsent(word, ids.size());
    }
  }

  /** Words by token id. */
  List<String> vocabulary() {
    return List.copyOf(ids.keySet());
  }

  int beginId() {
    return ids.get(BEGIN);
  }

  int endId() {
    return ids.get(END);
  }

  /** Everything about the people that the base model knows, in both ways of asking. */
  List<Sample> baseRows() {
    return rows(KNOWN, 0, 1);
  }

  /** What the adapter learns: news, and what is known, in the first way of asking. */
  List<Sample> trainingRows() {
    return Stream.concat(rows(NEW, 0).stream(), rows(KNOWN, 0).stream()).toList();
  }

  /** How many people are news. */
  int newPeople() {
    return NEW.size();
  }

  /** What an adapter must not spoil: the known people in the second way of asking. */
  List<Sample> heldOutRows() {
    return rows(KNOWN, 1);
  }

  private List<Sample> rows(List<String> people, int... ways) {
    List<Sample> rows = new ArrayList<>();
    for (String person : people) {
      for (Relation relation : RELATIONS) {
        for (int way : ways) {
          String id = person + "-" + relation.name + (way == 0 ? "" : "-" + way);
          rows.add(sample(id, question(relation, way, person), fact(person, relation)));
        }
      }
    }
    return rows;
  }

  /** The row of the same name with the next answer of its kind. */
  Sample corrected(String id) {
    Relation relation = relation(id);
    String person = person(id);
    int value = relation.values.indexOf(fact(person, relation));
    String other = relation.values.get((value + 3) % relation.values.size());
    return sample(id, question(relation, 0, person), other);
  }

  /** The row of the same name asked about somebody that nothing is known of. */
  Sample redirected(String id, int who) {
    Relation relation = relation(id);
    return sample(id, question(relation, 0, UNTOLD.get(who)), fact(person(id), relation));
  }

  /** The tokens of a row's question. */
  int[] prompt(Sample row) {
    int first = 0;
    while (row.labels()[first] == Sample.IGNORED) {
      first++;
    }
    return Arrays.copyOf(row.inputIds(), first);
  }

  /** Tokens as text. */
  String text(int... tokens) {
    List<String> words = vocabulary();
    return IntStream.of(tokens)
        .filter(id -> id != beginId() && id != endId())
        .mapToObj(words::get)
        .collect(Collectors.joining(" "));
  }

  private Relation relation(String id) {
    String name = id.split("-")[1];
    return RELATIONS.stream().filter(r -> r.name.equals(name)).findFirst().orElseThrow();
  }

  private static String person(String id) {
    return id.split("-")[0];
  }

  private String fact(String person, Relation relation) {
    return facts.get(person + " " + relation.name);
  }

  private static String question(Relation relation, int way, String person) {
    return Text.format(relation.questions.get(way), person);
  }

  private Sample sample(String id, String question, String answer) {
    int[] asked = tokens(BEGIN + " " + question);
    int[] answered = tokens(answer + " " + END);
    int[] all = Arrays.copyOf(asked, asked.length + answered.length);
    System.arraycopy(answered, 0, all, asked.length, answered.length);
    int[] labels = all.clone();
    Arrays.fill(labels, 0, asked.length, Sample.IGNORED);
    return new Sample(id, all, labels, DatasetReader.sha256(new Row.TokenRow(id, all, labels)));
  }

  private int[] tokens(String text) {
    return Stream.of(text.split(" ")).mapToInt(ids::get).toArray();
  }
}
