/** What commands print and write: progress, reports, JSON lines, vectors. */
package dev.lethe.cli.output;
