package dev.lethe.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.ConfigPolicy.Rule;
import dev.lethe.format.huggingface.ModelConfigFields;
import dev.lethe.format.peft.AdapterConfigFields;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The tables of docs/formats.md that say what becomes of a configuration's fields are the code's. */
class FieldTablesTest {
  private static final Path PAGE = Path.of("docs", "formats.md");

  @Test
  void modelConfigs() throws IOException {
    check("## Model configs", ModelConfigFields.POLICY);
  }

  @Test
  void adapterConfigs() throws IOException {
    check("## Adapter configs", AdapterConfigFields.POLICY);
  }

  private static void check(String heading, ConfigPolicy policy) throws IOException {
    String page = Files.readString(PAGE);
    String section = page.substring(page.indexOf("\n" + heading + "\n") + heading.length() + 2);
    int end = section.indexOf("\n## ");
    List<String> rows =
        section.substring(0, end < 0 ? section.length() : end).lines()
            .filter(line -> line.startsWith("| ") && !line.startsWith("| fields"))
            .toList();
    assertEquals(
        policy.rules().stream().map(FieldTablesTest::row).collect(Collectors.joining("\n")),
        String.join("\n", rows));
    Set<String> seen = new HashSet<>();
    for (Rule rule : policy.rules()) {
      for (String field : rule.fields()) {
        assertTrue(seen.add(field + rule.families()), field + " has two rules");
      }
    }
  }

  private static String row(Rule rule) {
    String fate = rule.fate().name().toLowerCase(Locale.ROOT);
    String but =
        rule.neutral().isEmpty() ? "" : " unless " + String.join(", ", rule.neutral());
    String families =
        rule.families().isEmpty() ? "" : " (" + String.join(", ", rule.families()) + ")";
    String fields =
        rule.fields().stream().map(field -> "`" + field + "`").collect(Collectors.joining(", "));
    return "| " + fields + " | " + fate + but + families + " | " + rule.why() + " |";
  }
}
