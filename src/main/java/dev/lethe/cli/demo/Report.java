package dev.lethe.cli.demo;

import java.util.List;

/**
 * What the demonstration found.
 *
 * @param device what it ran on
 * @param outerSteps solves in a row of the thorough unlearning
 * @param seconds all of it
 */
public record Report(
    long seed,
    String device,
    Base base,
    Adapter adapter,
    List<Task> tasks,
    AsTrained asTrained,
    int outerSteps,
    double seconds) {

  /** The base model: its size, and the loss of its first and last step. */
  public record Base(long weights, double firstLoss, double lastLoss, int steps, double seconds) {}

  /**
   * The adapter at its minimum.
   *
   * @param people how many new people it was told about
   * @param l2 weight decay of the objective
   * @param gradient norm of the objective's gradient at the end
   */
  public record Adapter(
      long parameters,
      int rank,
      int people,
      int rows,
      double l2,
      double gradient,
      int newtonSteps,
      double seconds) {}

  /**
   * One request.
   *
   * @param closedByOne part of the distance in outputs to the retrained adapter that one solve closes
   * @param closed the same for all outer steps
   * @param weightsClosed the same in ‖ΔW‖
   */
  public record Task(
      String name,
      List<String> ids,
      List<Group> groups,
      double closedByOne,
      double closed,
      double weightsClosed,
      double secondsOne,
      double seconds,
      double secondsRetraining,
      List<Answer> answers) {}

  /** Mean losses of a group of rows under the three adapters. */
  public record Group(
      String name, int rows, double original, double unlearned, double retrained) {}

  /** What the three adapters say to a question. */
  public record Answer(String question, String original, String unlearned, String retrained) {}

  /**
   * The removal on an adapter as people train them.
   *
   * @param preparing seconds that fitting the operators took, once for all requests
   * @param ways the adapter as it was, and by each method
   */
  public record AsTrained(int epochs, long steps, double preparing, List<Way> ways) {}

  /**
   * An adapter beside the one that training again gives.
   *
   * @param forgotten mean loss of the removed rows
   * @param retained mean loss of the others
   * @param forgottenClosed part of the distance in outputs to training again that is closed on the removed rows
   * @param retainedClosed the same on the others
   */
  public record Way(
      String name,
      double seconds,
      double forgotten,
      double retained,
      double forgottenClosed,
      double retainedClosed) {}
}
