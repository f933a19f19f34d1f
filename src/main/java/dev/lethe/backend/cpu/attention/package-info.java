/** Attention in four modes, tile by tile. */
package dev.lethe.backend.cpu.attention;
