/**
 * Work shared out among processes: which part one of them has, what it leaves in a file, and how the files become the
 * result that one process would have written, to the byte.
 */
package dev.lethe.shard;
