/** Tokenizers that Hugging Face models bring, through the native library that everybody uses for them. */
package dev.lethe.tokenizer;
