package dev.lethe.unlearn.baseline;

/** Watches a method at work and may stop it. */
public interface BaselineMonitor {
  /** Watches nothing and never stops. */
  BaselineMonitor NONE =
      new BaselineMonitor() {
        @Override
        public void onPhase(String phase, long steps) {}

        @Override
        public void onDone(long steps) {}

        @Override
        public boolean interrupted() {
          return false;
        }
      };

  /**
   * A part of the work begins.
   *
   * @param phase what it is, in words
   * @param steps how many {@link #onDone} will count; 0 where it will not be called
   */
  void onPhase(String phase, long steps);

  /** So many steps of the part are done. */
  void onDone(long steps);

  /** Asked often; true ends the work. */
  boolean interrupted();
}
