package dev.lethe.data.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.jinja.Template.Rendering;
import dev.lethe.data.jinja.Template.Span;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class TemplateTest {
  private static final Path GOLDEN = Path.of("tests", "resources", "chat", "expressions.json");
  private static final LocalDateTime NOW = LocalDateTime.of(2024, 7, 26, 9, 5, 3);

  @Test
  @SuppressWarnings("unchecked")
  void expressionsAndStatementsGiveWhatPythonGives() {
    JsonNode golden = StrictJson.read(GOLDEN, 1 << 22);
    Map<String, Object> values = (Map<String, Object>) plain(golden.get("values"));
    List<String> differences = new ArrayList<>();
    for (JsonNode pair : golden.get("results")) {
      String source = pair.get(0).stringValue();
      String expected = pair.get(1).isNull() ? null : pair.get(1).stringValue();
      String got;
      try {
        got = Template.of(source).render(values, NOW).text();
      } catch (JinjaException e) {
        got = null;
      }
      if (expected == null ? got != null : !expected.equals(got)) {
        differences.add("%s: expected %s, got %s".formatted(source, expected, got));
      }
    }
    assertEquals("", String.join("\n", differences));
  }

  @Test
  void generationBlocksAreToldApart() {
    Template template = Template.of("a{% generation %}bc{% endgeneration %}d{% generation %}{% endgeneration %}");
    Rendering rendering = template.render(Map.of(), NOW);
    assertEquals("abcd", rendering.text());
    assertEquals(List.of(new Span(1, 3), new Span(4, 4)), rendering.generations());
    assertTrue(template.marksGenerations());
  }

  /** Templates come from strangers: each of these would otherwise take all memory, all time or the whole stack. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ range(1000000000) }}",
        "{{ 'a' * 10000000000 }}",
        "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(90) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s=[1, 2]) %}{% for i in range(90) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
        "{{ 9999999999999999999999 }}",
        "{{ 2 ** 9999 }}"
      })
  void noTemplateTakesMoreThanItsShare(String source) {
    assertThrows(JinjaException.class, () -> Template.of(source).render(Map.of(), NOW));
  }

  @Test
  void deepNestingIsRefused() {
    for (String deep :
        new String[] {
          "{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}",
          "{{ " + "not ".repeat(5000) + "1 }}",
          "{{ " + "-".repeat(5000) + "1 }}",
          "{% if 1 %}".repeat(5000) + "{% endif %}".repeat(5000)
        }) {
      assertThrows(JinjaException.class, () -> Template.of(deep).render(Map.of(), NOW));
    }
  }

  @Test
  void whatIsNotSupportedIsNamed() {
    named("{% include 'x' %}", "'include'");
    named("{% import 'x' as y %}", "'import'");
    named("{% extends 'x' %}", "'extends'");
    named("{% call f() %}{% endcall %}", "'call'");
    named("{% for x in y recursive %}{% endfor %}", "recursive");
    named("{{ 1 | wordwrap }}", "'wordwrap'");
    named("{{ 1 is filter }}", "'filter'");
    named("{{ 'a'.zfill(3) }}", "'zfill'");
    named("{{ raise_exception('roles must alternate') }}", "roles must alternate");
    named("a\n{{ 1", "line 2");
    named("{% if 1 %}", "missing");
    named("{% endif %}", "'endif'");
  }

  private static void named(String source, String word) {
    JinjaException e =
        assertThrows(JinjaException.class, () -> Template.of(source).render(Map.of(), NOW));
    assertTrue(e.getMessage().contains(word), e.getMessage());
  }

  private static Object plain(JsonNode node) {
    if (node.isArray()) {
      List<Object> list = new ArrayList<>();
      node.forEach(item -> list.add(plain(item)));
      return list;
    }
    if (node.isObject()) {
      Map<String, Object> map = new LinkedHashMap<>();
      node.properties().forEach(e -> map.put(e.getKey(), plain(e.getValue())));
      return map;
    }
    if (node.isBoolean()) {
      return node.booleanValue();
    }
    if (node.isIntegralNumber()) {
      return node.longValue();
    }
    return node.isNumber() ? (Object) node.doubleValue() : node.isNull() ? null : node.stringValue();
  }
}
