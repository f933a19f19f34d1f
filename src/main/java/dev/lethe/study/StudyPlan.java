package dev.lethe.study;

import java.util.List;
import java.util.Map;

/**
 * A plan, checked as a whole. Names are those of its file.
 *
 * @param title what it is about
 * @param hours what it takes, as whoever wrote it measured or reckoned; 0 where nothing is said
 * @param models folder or file of each, below the root of all files
 * @param data rows of each
 * @param trainings options of {@code lethe train} for each
 * @param requests what to forget
 * @param methods how
 * @param settings what is combined
 * @param seeds of the trainings, and of everything else in a cell
 * @param tuning seeds that choose among a method's grid; the others report it
 * @param noise how many further retrainings of other orders and initialisations each cell is set beside
 * @param assess options of {@code lethe assess}
 */
public record StudyPlan(
    String title,
    double hours,
    Map<String, String> models,
    Map<String, Data> data,
    Map<String, List<String>> trainings,
    Map<String, List<String>> requests,
    Map<String, Method> methods,
    List<Setting> settings,
    List<Long> seeds,
    List<Long> tuning,
    int noise,
    List<String> assess) {

  /**
   * Rows of a file.
   *
   * @param file below the root of all files
   * @param skip lines that are left out before
   * @param first how many lines are taken; 0: all
   */
  public record Data(String file, long skip, long first) {}

  /**
   * A method, or several that differ by the values of a grid.
   *
   * @param options of {@code lethe unlearn}, {@code --method} among them
   * @param shards of the training that it starts from ({@code train --sisa}); 0: it starts from the block's original
   * @param grid values of hyper-parameters ({@code --set}); empty where there is nothing to choose
   */
  public record Method(List<String> options, int shards, Map<String, List<Double>> grid) {}

  /**
   * What is combined: each request by each method for each seed.
   *
   * @param heldOut name of data that nothing is trained on; null for none
   */
  public record Setting(
      String name,
      String model,
      String data,
      String training,
      String heldOut,
      List<String> requests,
      List<String> methods) {}
}
