package dev.lethe.study;

import dev.lethe.Text;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/** What a study leaves for readers: {@code table.md}, {@code table.json}, plots, and the plan itself. */
public final class StudyReport {
  private StudyReport() {}

  /**
   * Writes it into the study's folder.
   *
   * @return the text of {@code table.md}
   */
  public static String write(StudyPlan plan, Path planFile, StudyTable table, Path folder) {
    try {
      String sha256 = Sha256.start().addFile(planFile).hex();
      AtomicFiles.writeText(folder.resolve("plan.json"), Files.readString(planFile));
      ObjectNode json = StrictJson.newObject().put("format", "lethe-study/1").put("title", plan.title());
      json.put("plan_sha256", sha256);
      json.setAll(table.toJson());
      AtomicFiles.writeText(folder.resolve("table.json"), StrictJson.write(json));
      List<String> charts = new StudyCharts(plan.title(), table).write(folder);
      StringBuilder text = new StringBuilder();
      text.append(Text.format("# %s\n\nPlan %.12s…%s. Means over seeds", plan.title(), sha256, hours(plan)));
      text.append(" with 95 % intervals by Student's t.\n\n").append(table.toMarkdown());
      charts.forEach(chart -> text.append(Text.format("\n![%s](%s)\n", chart.replace(".svg", ""), chart)));
      AtomicFiles.writeText(folder.resolve("table.md"), text.toString());
      return text.toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String hours(StudyPlan plan) {
    return plan.hours() == 0 ? "" : Text.format(", %s hours by its own words", plan.hours());
  }
}
