package dev.lethe.chart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** Charts are well-formed SVG, to scale, with every value written at its mark. */
class ChartsTest {
  @TempDir Path folder;

  @Test
  void barsAreAsLongAsTheirValues() throws Exception {
    BarChart chart =
        new BarChart(
            "gradient & product",
            "a <machine>",
            "seconds",
            List.of("ours", "theirs"),
            List.of(
                new BarChart.Group("grad", new double[] {1, 2}, "0.50"),
                new BarChart.Group("hvp", new double[] {4, Double.NaN}, "")));
    Document svg = parsed(chart.draw().document());
    List<Element> bars = elements(svg, "rect").filter(r -> r.hasAttribute("fill")).toList();
    List<Double> lengths =
        bars.stream().skip(2).map(bar -> Double.parseDouble(bar.getAttribute("width"))).toList();
    assertEquals(4, lengths.size(), "two groups of two behind the legend's two");
    assertEquals(2 * lengths.get(0), lengths.get(1), 0.2);
    assertEquals(4 * lengths.get(0), lengths.get(2), 0.4);
    assertEquals(0, lengths.get(3), "nothing was measured");
    List<String> texts = texts(svg);
    assertTrue(texts.contains("gradient & product"), texts.toString());
    assertTrue(texts.contains("1  (0.50)"), texts.toString());
    assertTrue(texts.contains("none"), texts.toString());
  }

  @Test
  void proportionalGrowthLiesOnTheDashedLine() throws Exception {
    LineChart chart =
        new LineChart(
            "time",
            "here",
            "tokens",
            "seconds",
            1,
            List.of(new LineChart.Line("grad", new double[] {1, 2, 8}, new double[] {0.5, 1, 4})));
    Path file = folder.resolve("chart.svg");
    chart.write(file);
    Document svg = parsed(Files.readString(file));
    List<Element> lines = elements(svg, "polyline").toList();
    assertEquals(2, lines.size());
    assertEquals(lines.get(0).getAttribute("points"), lines.get(1).getAttribute("points"));
    assertEquals(3, elements(svg, "circle").count());
  }

  @Test
  void labelsAreShort() {
    assertEquals("0", Scale.label(0));
    assertEquals("0.0313", Scale.label(0.03125));
    assertEquals("1", Scale.label(1));
    assertEquals("2.05", Scale.label(2.049));
    assertEquals("118", Scale.label(118.2));
    assertEquals("1240", Scale.label(1240));
    assertEquals("32.8K", Scale.label(32768));
    assertEquals("2.1M", Scale.label(2.1e6));
  }

  @Test
  void axesCoverTheirValues() {
    for (double largest : new double[] {0.003, 0.9, 1, 7.3, 118, 5000}) {
      Scale scale = Scale.linear(largest, 0, 100);
      assertTrue(scale.at(largest) <= 100.0001, () -> largest + " leaves its axis");
      assertTrue(scale.at(largest) > 50, () -> largest + " is lost on its axis");
      assertTrue(scale.ticks().size() <= 8, () -> scale.ticks().toString());
    }
  }

  private static Document parsed(String svg) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(svg)));
  }

  private static Stream<Element> elements(Document svg, String name) {
    NodeList found = svg.getElementsByTagName(name);
    return IntStream.range(0, found.getLength()).mapToObj(i -> (Element) found.item(i));
  }

  private static List<String> texts(Document svg) {
    return elements(svg, "text").map(Element::getTextContent).toList();
  }
}
