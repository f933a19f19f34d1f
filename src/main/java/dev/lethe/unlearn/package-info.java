/**
 * Unlearning: what to forget ({@link dev.lethe.unlearn.request.UnlearnRequest}), how ({@link
 * dev.lethe.unlearn.Eraser}, a damped Newton step on the data as it should have been), what came of
 * it ({@link dev.lethe.unlearn.certificate.Certificate}), and the methods that it must be compared with ({@link
 * dev.lethe.unlearn.baseline.UnlearningMethod}). Nothing here writes or logs the contents of a sample: ids,
 * token counts and hashes only, because a tool that forgets must not leave copies behind.
 */
package dev.lethe.unlearn;
