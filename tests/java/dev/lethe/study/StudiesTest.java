package dev.lethe.study;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The plans that the documents name are plans. */
class StudiesTest {
  private static final String ROW = "{\"instruction\": \"i\", \"input\": \"x\", \"output\": \"Yes.\"}";

  @Test
  void everyPlanCanBeRead(@TempDir Path files) throws IOException {
    String named = System.getenv("LETHE_DATA");
    Path data = named == null ? Path.of("..", "shared", "data") : Path.of(named);
    Assumptions.assumeTrue(Files.exists(data.resolve("tofu/full.json")), "no data in " + data);
    for (String given : List.of("tofu", "stories260K")) {
      Files.createSymbolicLink(files.resolve(given), data.resolve(given).toAbsolutePath());
    }
    // What studies/README.md says how to make.
    Files.createDirectory(files.resolve("shakespeare"));
    Path tallrec = Files.createDirectory(files.resolve("tallrec"));
    for (String made : List.of("tallrec-120", "strangers", "flips")) {
      Files.write(tallrec.resolve(made + ".jsonl"), Collections.nCopies(120, ROW));
    }
    String page = Files.readString(Path.of("studies/README.md"));
    try (Stream<Path> all = Files.list(Path.of("studies"))) {
      List<Path> plans = all.filter(path -> path.toString().endsWith(".json")).toList();
      assertTrue(plans.size() >= 4, plans.toString());
      for (Path plan : plans) {
        StudyPlan read = PlanReader.read(plan, files);
        assertTrue(read.hours() > 0, plan + " says what it takes");
        assertTrue(page.contains("`" + plan.getFileName() + "`"), plan + " is in studies/README.md");
      }
    }
  }
}
