package dev.lethe.study;

import java.util.List;

/**
 * One command of a study.
 *
 * @param kind what it makes
 * @param name of the step, and below the study's folder of its output
 * @param args the command line; {@value StudyFolder#OUT} stands for the study's folder and {@value StudyFolder#FILES}
 *     for that of the plan's files
 * @param output the folder that it makes, relative to the study's; null where it adds to one that is there
 * @param mayFail whether a refusal is a result: a method may refuse a request
 */
public record StudyStep(Kind kind, String name, List<String> args, String output, boolean mayFail) {
  /** What a step makes. */
  public enum Kind {
    ORIGINAL,
    SHARDED,
    OPERATORS,
    RETRAINED,
    NOISE,
    UNLEARNED,
    ASSESSMENT
  }

  public StudyStep {
    args = List.copyOf(args);
  }
}
