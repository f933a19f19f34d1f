/** The recorded training that a request is replayed on, and how to replay it. */
package dev.lethe.unlearn.recording;
