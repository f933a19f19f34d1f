package dev.lethe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Sample;
import dev.lethe.session.Session;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The README's Java example compiles, links lead somewhere, and classes that pages name are there. */
public class ReadmeTest {
  private static final Path README = Path.of("README.md");
  private static final Pattern FENCE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  /** In backticks, with packages in front or without; NAME stands for an operation's. */
  private static final Pattern CLASS = Pattern.compile("`((?:\\w+/)*(?!\\w*NAME)[A-Z]\\w*[a-z]\\w*)`");
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)\\)");

  /** What the README shows. */
  public static void example(Path modelDir, Path adapterDir, Path dataFile, Path outDir) {
    // the example begins
    try (Session session = Session.open(modelDir, "auto")) {
      List<Sample> data = session.samples(dataFile);
      UnlearnRequest request = UnlearnRequest.of(data, List.of("17", "42"), List.of());
      Certificate certificate = session.unlearn(adapterDir, request, outDir);
      System.out.print(certificate.toText());
    }
    // the example ends
  }

  @Test
  void theExampleIsTheOneThatRunsHere() throws IOException {
    String source = Files.readString(Path.of("tests/java/dev/lethe/ReadmeTest.java"));
    String here =
        source
            .substring(
                source.indexOf("// the example begins\n") + "// the example begins\n".length(),
                source.indexOf("    // the example ends"))
            .replaceAll("(?m)^    ", "");
    Matcher fence = FENCE.matcher(Files.readString(README));
    assertTrue(fence.find(), "README.md has no Java example");
    assertEquals(here, fence.group(1));
  }

  @Test
  void linksLeadToFiles() throws IOException {
    try (Stream<Path> docs = Files.list(Path.of("docs"))) {
      List<Path> pages =
          Stream.concat(Stream.of(README), docs.filter(p -> p.toString().endsWith(".md"))).toList();
      for (Path page : pages) {
        Matcher link = LINK.matcher(Files.readString(page));
        while (link.find()) {
          Path target = page.toAbsolutePath().getParent().resolve(link.group(1));
          assertTrue(Files.exists(target), page + " links to " + link.group(1));
        }
      }
    }
  }

  @Test
  void architectureNamesClassesThatAreThere() throws IOException {
    Set<Path> sources = new HashSet<>();
    for (String root : List.of("src/main/java", "tests/java")) {
      try (Stream<Path> files = Files.walk(Path.of(root, "dev", "lethe"))) {
        files.forEach(sources::add);
      }
    }
    Matcher name = CLASS.matcher(Files.readString(Path.of("docs/architecture.md")));
    int found = 0;
    for (; name.find(); found++) {
      Path file = Path.of(name.group(1) + ".java");
      assertTrue(sources.stream().anyMatch(source -> source.endsWith(file)), "no " + file);
    }
    assertTrue(found > 40, "classes found on the page: " + found);
  }
}
