package dev.lethe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Sample;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.run.Session;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.UnlearnRequest;
import dev.lethe.unlearn.UnlearnResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The README's Java example compiles and runs, and its links lead somewhere. */
class ReadmeTest {
  private static final Path README = Path.of("README.md");
  private static final Pattern FENCE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)\\)");

  private void example(Path modelDir, Path adapterDir, Path dataFile, Path outDir) {
    // the example begins
    try (Session session = Session.open(modelDir, "auto")) {
      List<Sample> data = session.samples(dataFile);
      UnlearnRequest request = UnlearnRequest.of(data, List.of("17", "42"), List.of());
      Eraser eraser = Eraser.builder(session.adapted(adapterDir), request).build();
      try (UnlearnResult result = eraser.run(EraserMonitor.NONE)) {
        System.out.print(result.certificate().toText());
        result.write(outDir, adapterDir);
      }
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
  void theExampleRuns(@TempDir Path dir) throws IOException {
    Path model = TinyModels.writeFolder(dir.resolve("model"), TinyModels.Dims.DEFAULT, 1);
    try (Session session = Session.open(model, "reference")) {
      LoraAdapter adapter =
          TinyModels.adapter(session.model(), 2, 4, TinyModels.ALL_TARGETS, 3);
      session.adapted(adapter);
      adapter.save(dir.resolve("adapter"));
    }
    List<String> rows = new ArrayList<>();
    for (int i = 0; i < 43; i++) {
      rows.add("{\"input_ids\":[1,%d,%d],\"labels\":[-100,-100,%2$d]}".formatted(3 + i % 20, 3 + i % 7));
    }
    Path data = Files.write(dir.resolve("rows.jsonl"), rows);
    example(model, dir.resolve("adapter"), data, dir.resolve("out"));
    assertTrue(Files.exists(dir.resolve("out").resolve("adapter_model.safetensors")));
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
}
