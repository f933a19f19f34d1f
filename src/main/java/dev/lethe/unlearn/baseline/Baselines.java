package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The published methods by name. */
public final class Baselines {
  private static final Map<String, Kind> ALL = new LinkedHashMap<>();

  static {
    List<Setting> descent = Descent.tofu(5);
    Setting[] weights = GradientDifference.WEIGHTS.toArray(Setting[]::new);
    List<Setting> weighted = Settings.joined(descent, weights);
    Setting beta = Setting.positive("beta", 0.1, "β, how soon a row counts as forgotten");
    add(GradientAscent.NAME, descent, GradientAscent::new);
    add(GradientDifference.NAME, weighted, GradientDifference::new);
    add(KlMinimisation.NAME, weighted, KlMinimisation::new);
    List<Setting> longer = Descent.tofu(10);
    add(Npo.NAME, Settings.joined(Settings.joined(longer, weights), beta), Npo::new);
    add(
        SimNpo.NAME,
        Settings.joined(
            longer,
            Setting.weight("forget-weight", 0.125, "γ, of the forgotten rows' part"),
            Setting.weight("retain-weight", 1, "α, of the retained rows' part"),
            Setting.positive("beta", 4.5, "β, how soon a row counts as forgotten"),
            Setting.weight("delta", 0, "δ, the loss a token from which on it does")),
        SimNpo::new);
    add(IdkDpo.NAME, Settings.joined(weighted, beta), IdkDpo::new);
    add(Rmu.NAME, Rmu.OWN, Rmu::new);
    add(FineTuning.NAME, descent, FineTuning::new);
    add(
        TaskVector.NAME,
        Settings.joined(descent, Setting.weight("scale", 1, "s, how far back")),
        TaskVector::new);
    add(DataInf.NAME, DataInf.OWN, DataInf::new);
    add(EkfacInfluence.NAME, EkfacInfluence.OWN, EkfacInfluence::new);
    add(Kfade.NAME, Kfade.OWN, Kfade::new);
  }

  private Baselines() {}

  private static void add(String name, List<Setting> settings, Function<Settings, Baseline> maker) {
    ALL.put(name, new Kind(settings, maker));
  }

  /** All names. */
  public static List<String> names() {
    return List.copyOf(ALL.keySet());
  }

  /** The hyper-parameters of a method. */
  public static List<Setting> settings(String name) {
    return kind(name).settings;
  }

  /** Whether a method needs to know what should be said in place of a forgotten response. */
  public static boolean wantsPreferred(String name) {
    return name.equals(IdkDpo.NAME);
  }

  /**
   * A method.
   *
   * @param given hyper-parameters that are not to be the usual ones
   * @throws LetheException for a name that there is not, and a hyper-parameter that it does not have or cannot have
   */
  public static Baseline of(String name, Map<String, Double> given) {
    Kind kind = kind(name);
    return kind.maker.apply(Settings.of(name, kind.settings, given));
  }

  private static Kind kind(String name) {
    Kind kind = ALL.get(name);
    if (kind == null) {
      throw new LetheException(
          "published methods", "there is none of this name", String.join(", ", ALL.keySet()), name,
          "Use one of these names.");
    }
    return kind;
  }

  private record Kind(List<Setting> settings, Function<Settings, Baseline> maker) {}
}
