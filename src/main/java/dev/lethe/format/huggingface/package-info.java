/** Model folders of Hugging Face: {@code config.json} read field by field, and the files of weights. */
package dev.lethe.format.huggingface;
