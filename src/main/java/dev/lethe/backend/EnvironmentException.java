package dev.lethe.backend;

import dev.lethe.LetheException;

/** This machine lacks something that was asked for: a device, a driver, memory. */
public final class EnvironmentException extends LetheException {
  private static final long serialVersionUID = 1;

  public EnvironmentException(String where, String problem, String remedy) {
    super(where, problem, null, null, remedy);
  }
}
