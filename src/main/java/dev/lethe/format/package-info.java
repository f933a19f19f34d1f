/**
 * Files in and out: safetensors, Hugging Face model folders, PEFT adapter folders and data sets.
 * All of them come from strangers, so everything is checked before memory is taken for it, every
 * way to be wrong has its own {@link dev.lethe.format.FormatException.Kind}, and nothing is ever
 * executed. Output appears whole or not at all.
 */
package dev.lethe.format;
