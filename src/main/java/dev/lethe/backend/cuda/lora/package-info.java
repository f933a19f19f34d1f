/** Linear layers with LoRA pairs on the CUDA backend, one at a time or a group of them as one product. */
package dev.lethe.backend.cuda.lora;
