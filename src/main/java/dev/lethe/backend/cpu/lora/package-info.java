/** Linear layers with a LoRA pair. */
package dev.lethe.backend.cpu.lora;
