package dev.lethe.study;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The plans that the documents name are plans. */
class StudiesTest {
  @Test
  void everyPlanCanBeRead() throws IOException {
    String named = System.getenv("LETHE_DATA");
    Path files = named == null ? Path.of("..", "shared", "data") : Path.of(named);
    Assumptions.assumeTrue(Files.exists(files.resolve("tofu/full.json")), "no data in " + files);
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
