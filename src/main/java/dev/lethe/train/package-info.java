/**
 * LoRA fine-tuning that can be repeated: a seed fixes everything, a killed run resumes to the same
 * bytes, and every run leaves the record that unlearning needs. The objective of a step is the mean
 * over its samples of each sample's mean token loss, the same ℓᵢ that {@code dev.lethe.influence}
 * differentiates. Hugging Face's Trainer averages over the tokens of a step instead, which gives
 * long responses more weight; the two agree where all samples of a step have equally many
 * supervised tokens.
 */
package dev.lethe.train;
