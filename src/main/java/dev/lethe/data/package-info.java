/**
 * Rows of a data set as samples of tokens: what every loss, gradient and curvature is computed on.
 * A sample is never truncated; what does not fit is an error that says so.
 */
package dev.lethe.data;
