/**
 * Measuring: the workloads of {@code lethe bench} and what they cost, what this machine can do, where the time goes, and
 * comparing two files of results.
 */
package dev.lethe.bench;
