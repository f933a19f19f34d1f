/** Safetensors files, single and sharded: headers checked, tensors mapped, files written. */
package dev.lethe.format.safetensors;
