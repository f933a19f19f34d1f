package dev.lethe.assess.report;

import dev.lethe.Text;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.record.AssessmentRecord;
import dev.lethe.assess.record.AssessmentText;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.ShownText;
import java.util.List;
import java.util.Map;

/**
 * An assessment as one HTML file: no scripts, nothing fetched, readable from a mail attachment and on paper. Texts of rows
 * are in it only where the record has them.
 */
public final class HtmlReport {
  private static final String STYLE =
      """
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem }
      body { color: #222; background: #fff }
      h1 { font-size: 1.7rem; margin-bottom: 0 } h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem }
      .short { background: #f3f6fa; border-left: 4px solid #0072b2; padding: .6rem 1.1rem; margin: 1rem 0 }
      .faint, .note { color: #666; font-size: .9rem } .note { padding-left: 1rem }
      table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 1rem; width: 100% }
      th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
      td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
      .hash { font: 12px ui-monospace, monospace; word-break: break-all } svg { max-width: 100%; height: auto }
      @media (prefers-color-scheme: dark) {
        body { background: #16181c; color: #e8e8e8 } .short { background: #1f2630 } .faint, .note { color: #aaa }
        th, td { border-color: #333 }
      }
      @media print {
        body { margin: 0; max-width: none; font-size: 11pt; color: #000; background: #fff }
        section, svg, tr, .short { break-inside: avoid } h2 { break-after: avoid }
      }
      """;

  private static final Map<String, String> ROLES =
      Map.of(
          "original", "trained on everything",
          "unlearned", "made from the original by unlearning",
          "retrained", "trained again as if the rows had never been there: the yardstick",
          "noise", "another retraining, which shows how far two of them lie apart");

  private final StringBuilder page = new StringBuilder();

  private HtmlReport() {}

  /** The page. */
  public static String of(AssessmentRecord record) {
    HtmlReport report = new HtmlReport();
    report.head(record);
    report.asked(record);
    report.pictures(record);
    report.texts(record.texts());
    report.limits(record);
    report.tables(record);
    report.origins(record);
    return report.page.append("</body>\n</html>\n").toString();
  }

  private void head(AssessmentRecord record) {
    page.append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
        .append("<meta name=\"viewport\" content=\"width=device-width\">\n<title>Unlearning, assessed</title>\n<style>\n")
        .append(STYLE)
        .append("</style>\n</head>\n<body>\n<h1>Has it forgotten?</h1>\n");
    add("p class=\"faint\"", Text.format("An assessment by Lethe of %s", record.created()));
    page.append("<div class=\"short\">\n");
    record.headline().forEach(sentence -> add("p", sentence));
    page.append("</div>\n");
  }

  private void asked(AssessmentRecord record) {
    AssessmentRecord.Asked asked = record.request();
    add("h2", "What was asked");
    String what =
        asked.replaced() == 0
            ? Text.format("forget %s", rows(asked.removed()))
            : Text.format(
                "forget %s and put new versions in the place of %d",
                rows(asked.removed()), asked.replaced());
    add(
        "p",
        Text.format(
            "A language model had been fine-tuned on %,d rows of text. It was to %s, as if they had never been there. The sure"
                + " way is to train again without them. Here a shorter way was taken, and this page says how near its result"
                + " comes to training again.",
            asked.rows(),
            what));
    add("h2", "What was measured");
    page.append("<table>\n<tr><th>adapter</th><th></th><th>how it was made</th></tr>\n");
    for (AssessmentRecord.Adapter adapter : record.adapters()) {
      String named = Text.format("; its certificate names the method \"%s\"", adapter.method());
      String method = adapter.method() == null ? "" : named;
      row(List.of(adapter.name(), adapter.role(), ROLES.get(adapter.role()) + method), "td");
    }
    page.append("</table>\n");
    for (AssessmentRecord.Measured group : record.rows()) {
      if (group.rows() < group.of()) {
        add(
            "p class=\"faint\"",
            Text.format("Of %,d %s rows %,d were drawn and measured.", group.of(), group.group(), group.rows()));
      }
    }
  }

  private void pictures(AssessmentRecord record) {
    add("h2", "How near to training again");
    add(
        "p",
        "An adapter changes which word the model expects next. The picture shows how far these expectations are from those"
            + " of the retrained adapter, for each kind of rows.");
    if (Pictures.hasDistances(record)) {
      page.append(Pictures.distances(record));
    }
    record.section("distance_kl").remarks().forEach(remark -> add("p class=\"note\"", remark));
    add("h2", "Before and after");
    add(
        "p",
        "The loss tells how much an answer surprises the model. Forgetting should raise it on the forgotten rows to where"
            + " training again puts it, no higher, and leave it alone elsewhere.");
    page.append(Pictures.losses(record));
    add("h2", "Looking for traces");
    page.append(Pictures.attacks(record));
    record.section("attacks").remarks().forEach(remark -> add("p", remark));
  }

  private void texts(List<ShownText> texts) {
    if (texts.isEmpty()) {
      return;
    }
    add("h2", "Some rows in words");
    add("p class=\"note\"", "These texts are here because they were asked for (--texts). Forgotten ones are among them.");
    for (ShownText text : texts) {
      page.append("<table>\n");
      row(List.of(Text.format("%s row %s", text.group(), text.id()), text.query()), "th");
      row(List.of("right answer", text.truth()), "td");
      row(List.of("original says", text.original()), "td");
      row(List.of("unlearned says", text.unlearned()), "td");
      row(List.of("retrained says", text.retrained()), "td");
      page.append("</table>\n");
    }
  }

  private void limits(AssessmentRecord record) {
    add("h2", "What this does not show");
    page.append("<ul>\n");
    record.limits().forEach(limit -> add("li", limit));
    page.append("</ul>\n");
  }

  private void tables(AssessmentRecord record) {
    add("h2", "All numbers");
    add(
        "p class=\"faint\"",
        Text.format(
            "In brackets: 95 %% intervals over rows, drawn again %,d times with seed %d.",
            record.draws(),
            record.seed()));
    for (Section section : record.sections()) {
      page.append("<section>\n");
      add("h3", section.title());
      add("p class=\"faint\"", section.meaning());
      if (!section.lines().isEmpty()) {
        table(section);
      }
      section.remarks().forEach(remark -> add("p class=\"note\"", remark));
      page.append("</section>\n");
    }
  }

  private void table(Section section) {
    page.append("<table>\n<tr><th></th>");
    section.columns().forEach(column -> add("th", column));
    page.append("</tr>\n");
    for (Section.Line line : section.lines()) {
      page.append("<tr>");
      add("td", line.name());
      for (Estimate cell : line.cells()) {
        add("td class=\"number\"", AssessmentText.number(cell));
      }
      page.append("</tr>\n");
      if (line.note() != null) {
        page.append("<tr><td class=\"note\" colspan=\"").append(section.columns().size() + 1).append("\">");
        page.append(escaped(line.note())).append("</td></tr>\n");
      }
    }
    page.append("</table>\n");
  }

  private void origins(AssessmentRecord record) {
    add("h2", "Where it comes from");
    page.append("<table>\n");
    record.hashes().forEach((name, hash) -> hash(name, hash));
    record.adapters().forEach(adapter -> hash(Text.format(
        "%s adapter %s",
        adapter.role(), adapter.name()), adapter.sha256()));
    record.environment().forEach((name, value) -> row(List.of(name, value), "td"));
    page.append("</table>\n");
    add("p class=\"faint\"", "Hashes are SHA-256; those of rows HMAC-SHA256 under the key of this id. assessment.json in the same folder holds every number of this page.");
  }

  private void hash(String name, String hash) {
    page.append("<tr>");
    add("td", name);
    add("td class=\"hash\"", hash);
    page.append("</tr>\n");
  }

  private void row(List<String> cells, String kind) {
    page.append("<tr>");
    cells.forEach(cell -> add(kind, cell));
    page.append("</tr>\n");
  }

  /** An element; what stands in it is text, whatever it looks like. */
  private void add(String tag, String text) {
    String name = tag.split(" ")[0];
    page.append('<').append(tag).append('>').append(escaped(text)).append("</").append(name).append(">\n");
  }

  private static String rows(int count) {
    return count == 1 ? "one of them" : Text.format("%,d of them", count);
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
  }
}
