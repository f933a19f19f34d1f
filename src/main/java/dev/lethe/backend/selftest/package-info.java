/**
 * A check that users can run where Lethe is installed: every kernel and every mode of a backend against
 * the reference backend on small random shapes. A driver, a processor or a build that computes wrongly
 * shows here before it spoils a result.
 */
package dev.lethe.backend.selftest;
