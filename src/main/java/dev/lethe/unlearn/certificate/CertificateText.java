package dev.lethe.unlearn.certificate;

import dev.lethe.Text;
import dev.lethe.unlearn.certificate.Certificate.Asked;
import dev.lethe.unlearn.certificate.Certificate.Closure;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.LinearSystem;
import dev.lethe.unlearn.certificate.Certificate.Losses;
import dev.lethe.unlearn.certificate.Certificate.Method;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.certificate.Certificate.Pair;
import dev.lethe.unlearn.certificate.Certificate.Replay;
import dev.lethe.unlearn.certificate.Certificate.Times;
import dev.lethe.unlearn.certificate.Certificate.Weights;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.stream.Collectors;

/** A certificate as lines for people. */
final class CertificateText {
  private static final int SHOWN = 8;

  private final StringBuilder text = new StringBuilder();

  private CertificateText() {}

  static String of(Certificate c) {
    CertificateText page = new CertificateText();
    page.asked(c.request());
    page.method(c.method());
    if (c.replay() != null) {
      page.replay(c.replay());
      page.closure(c.closure());
    }
    if (!c.steps().isEmpty()) {
      page.system(c.system());
      c.steps().forEach(page::step);
      page.gradients(c.gradients(), c.request());
    }
    page.weights(c.weights());
    page.losses(c.losses());
    if (c.cost() != null) {
      page.cost(c.cost());
    }
    if (!c.steps().isEmpty()) {
      page.times(c.seconds());
    }
    page.line("device", "%s, %s", c.environment().device(), c.environment().vectorType());
    page.line("adapter", "%.12s… → %.12s…", c.hashes().adapterBefore(), c.hashes().adapterAfter());
    c.notes().forEach(note -> page.line("note", "%s", note));
    c.warnings().forEach(warning -> page.line("WARNING", "%s", warning));
    return page.text.toString();
  }

  private void asked(Asked a) {
    line("request", "%,d of %,d rows: %,d removed, %,d replaced",
        a.removed() + a.replaced(), a.rows(), a.removed(), a.replaced());
    if (!a.earlier().isEmpty()) {
      line("earlier", "%,d rows were changed by earlier requests", a.earlier().size());
    }
    a.changes().stream()
        .collect(
            Collectors.groupingBy(
                Certificate.Row::change,
                LinkedHashMap::new,
                Collectors.mapping(Certificate.Row::id, Collectors.toList())))
        .forEach(this::rows);
  }

  private void rows(String change, List<String> ids) {
    int shown = Math.min(SHOWN, ids.size());
    line("rows", "%s: %s%s", change.replace('_', ' '), String.join(", ", ids.subList(0, shown)),
        ids.size() > shown ? Text.format(" and %,d more", ids.size() - shown) : "");
  }

  private void method(Method m) {
    line("method", "%s%s", m.name(), m.divisor() == null ? "" : ", divisor " + m.divisor());
    line("worth", "%s", m.worth());
    if (!m.settings().isEmpty()) {
      line("settings", "%s",
          m.settings().entrySet().stream()
              .map(each -> each.getKey() + " " + each.getValue())
              .collect(Collectors.joining(", ")));
    }
  }

  private void replay(Replay r) {
    line("replay", "%,d steps, the first that changes is %,d%s; gradients in %s",
        r.steps(), r.firstTouchedStep(),
        r.exactHeadSteps() == 0 ? "" : Text.format(", the first %,d retrained", r.exactHeadSteps()),
        r.gradients());
    line("operator", "%s", r.operator());
  }

  private void closure(Closure c) {
    if (c == null) {
      return;
    }
    line("closed", "of the distance to retraining, estimated: %s on the requested rows, %s on retained ones",
        part(c.forgotten()), part(c.retained()));
    for (Certificate.Point p : c.points()) {
      line("", "step %,d, %,d retained rows: the operator's error is %s, cosine %s; corrected %s",
          p.step(), p.rows(), measured(p.error()), measured(p.cosine()), measured(p.corrected()));
    }
  }

  private static String measured(Double value) {
    return value == null ? "unknown" : Text.format("%.2f", value);
  }

  private static String part(Double estimate) {
    return estimate == null ? "unknown" : Text.format("%.0f %%", 100 * estimate);
  }

  private void cost(Cost c) {
    line("cost", "%,d sample gradients%s", c.sampleGradients(), retraining(c));
    line("", "%.2f s%s", c.seconds(),
        c.retrainingSeconds() == null
            ? ""
            : Text.format("; training again about %.2f s", c.retrainingSeconds()));
  }

  private static String retraining(Cost c) {
    if (c.retraining() == null) {
      return "; nothing tells what training again takes";
    }
    Double part = CertificateParts.ratio(c.sampleGradients(), c.retraining());
    return Text.format("; training again takes %,d", c.retraining())
        + (part == null ? "" : Text.format(" (%.3f)", part));
  }

  private void system(LinearSystem m) {
    line("system", "%s, %s over %,d %s rows, damping %.3g (%s)%s",
        m.solver(), m.curvature(), m.curvatureRows(), m.curvatureData(), m.damping(),
        m.dampingFrom(),
        m.weightDecay() == 0 ? "" : Text.format(", weight decay %.3g", m.weightDecay()));
  }

  private void step(OuterStep s) {
    line("step " + s.step(), "%,d iterations, %,d products, residual %s (%s), |b| %.3g, |Δ| %.3g",
        s.iterations(), s.products(),
        s.residual() == null ? "unknown" : Text.format("%.2e", s.residual()),
        s.converged() ? "within the tolerance" : "not converged", s.rhsNorm(), s.stepNorm());
    if (s.residualOnOthers() != null) {
      line("", "residual with the curvature of as many other rows: %.2e", s.residualOnOthers());
    }
  }

  private void gradients(Certificate.Gradients g, Asked a) {
    if (g.targetBefore() == null) {
      line("gradient", "of the target objective: not measured");
      return;
    }
    line("gradient", "of the target objective: %.3g before, %.3g after; trained objective: %.3g",
        g.targetBefore(), g.targetAfter(), g.trainedBefore());
    line("", "measured over %,d of %,d target rows",
        g.targetRows(), a.retained() + a.replaced());
  }

  private void weights(Weights w) {
    if (w.step() == null) {
      return;
    }
    Double part = CertificateParts.ratio(w.step(), w.adapter());
    if (part == null) {
      line("weights", "the step is %.3g in ‖ΔW‖; the adapter's own weights are 0", w.step());
    } else {
      line("weights", "the step is %.3g %% of the adapter (%.3g of %.3g in ‖ΔW‖)",
          100 * part, w.step(), w.adapter());
    }
  }

  private void losses(Losses l) {
    if (l.forgotten() == null && l.replacements() == null && l.retained() == null && l.heldOut() == null) {
      return;
    }
    line("", "%-14s %8s %10s %10s %10s", "loss", "rows", "before", "after", "change");
    pair("forgotten", l.forgotten());
    pair("replacements", l.replacements());
    pair("retained", l.retained());
    pair("held out", l.heldOut());
  }

  private void pair(String group, Pair p) {
    if (p != null) {
      line("", "%-14s %,8d %10.4f %10.4f %+10.4f",
          group, p.rows(), p.before(), p.after(), p.after() - p.before());
    }
  }

  private void times(Times t) {
    line("seconds",
        "%.2f: gradients %.2f, linearization %.2f, products %.2f, solver %.2f, losses %.2f",
        t.total(), t.gradients(), t.linearization(), t.products(), t.solver(), t.evaluation());
  }

  private void line(String label, String format, Object... values) {
    text.append(Text.format("%-9s ", label))
        .append(Text.format(format, values).stripTrailing())
        .append('\n');
  }
}
