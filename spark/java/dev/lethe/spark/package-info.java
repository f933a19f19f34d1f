/** Lethe's commands on Apache Spark: the driver runs the command, executors share the work over rows. */
package dev.lethe.spark;
