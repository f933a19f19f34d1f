/** Fits the operators of a replay to an adapter's training, once for all requests, and keeps them in files. */
package dev.lethe.replay.prepare;
