/** Lethe makes a LoRA-tuned language model forget, correct or rewrite named training examples. */
package dev.lethe;
