/**
 * GGUF, llama.cpp's format of models: read as if it were a Hugging Face folder, and written for adapters. Layout as
 * in the ggml project's {@code docs/gguf.md}.
 */
package dev.lethe.format.gguf;
