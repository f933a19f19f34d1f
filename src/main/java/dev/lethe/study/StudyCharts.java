package dev.lethe.study;

import dev.lethe.Text;
import dev.lethe.chart.CostChart;
import dev.lethe.chart.IntervalChart;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The plots of a table: what each method closes, and that beside its cost, for each setting and request. */
final class StudyCharts {
  private static final double LOW = -1;

  private final String title;
  private final Map<String, List<StudyTable.Row>> panels = new LinkedHashMap<>();

  StudyCharts(String title, StudyTable table) {
    this.title = title;
    for (StudyTable.Row row : table.rows()) {
      if (!row.choosing()) {
        panels.computeIfAbsent(row.setting() + ", " + row.request(), key -> new ArrayList<>()).add(row);
      }
    }
  }

  /** Writes them into a folder and returns their names. */
  List<String> write(Path folder) {
    List<String> names = new ArrayList<>();
    panels.forEach(
        (panel, rows) -> {
          String name = panel.toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9]+", "-");
          closed(panel, rows).draw().write(folder.resolve(name + "-closed.svg"));
          names.add(name + "-closed.svg");
          List<CostChart.Point> points = points(rows);
          if (!points.isEmpty()) {
            new CostChart(
                    title, panel + "; means over seeds", "cost in retrainings, counted in gradients of rows",
                    "KL closed, mean of forgotten and retained rows: 1 is retraining, 0 doing nothing", LOW, 1, points)
                .draw()
                .write(folder.resolve(name + "-cost.svg"));
            names.add(name + "-cost.svg");
          }
        });
    return names;
  }

  private IntervalChart closed(String panel, List<StudyTable.Row> rows) {
    List<IntervalChart.Group> groups =
        rows.stream()
            .map(
                row ->
                    new IntervalChart.Group(
                        row.method(),
                        List.of(mark(row.mean(Measure.KL_FORGOTTEN)), mark(row.mean(Measure.KL_RETAINED)))))
            .toList();
    return new IntervalChart(
        title, Text.format("%s; means over seeds with 95 %% intervals", panel),
        "share of the KL divergence to retraining that is closed", LOW, 1, List.of("forgotten rows", "retained rows"),
        groups);
  }

  private static IntervalChart.Mark mark(SeedMean mean) {
    return new IntervalChart.Mark(mean.mean(), mean.low(), mean.high());
  }

  private static List<CostChart.Point> points(List<StudyTable.Row> rows) {
    List<CostChart.Point> points = new ArrayList<>();
    for (StudyTable.Row row : rows) {
      double cost = row.mean(Measure.COST).mean();
      double closed = (row.mean(Measure.KL_FORGOTTEN).mean() + row.mean(Measure.KL_RETAINED).mean()) / 2;
      if (cost > 0 && Double.isFinite(closed)) {
        points.add(new CostChart.Point(row.method(), cost, closed));
      }
    }
    return points;
  }
}
