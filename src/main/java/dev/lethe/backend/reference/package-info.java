/**
 * The oracle: every kernel in float64, one thread, written as its formula reads, with nothing done
 * for speed that would need a second look. Other backends are tested against it, and it is what
 * computes where float64 is asked for.
 */
package dev.lethe.backend.reference;
