/**
 * Published methods of unlearning, on LoRA: what every other method must be compared with. They know nothing of how the
 * adapter was trained. {@link dev.lethe.unlearn.baseline.Baselines} has them by name; each is a class with its formula
 * and its source.
 */
package dev.lethe.unlearn.baseline;
