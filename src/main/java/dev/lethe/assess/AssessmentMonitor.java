package dev.lethe.assess;

/** Watches an assessment; what it throws ends the work. */
public interface AssessmentMonitor {
  /** Nobody watches. */
  AssessmentMonitor NONE =
      new AssessmentMonitor() {
        @Override
        public void phase(String what, int rows) {}

        @Override
        public void done(int rows) {}
      };

  /**
   * A piece of work begins.
   *
   * @param what it is, a word or two
   * @param rows how many it is about
   */
  void phase(String what, int rows);

  /** So many rows of it are done. */
  void done(int rows);
}
