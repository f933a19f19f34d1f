/** Where native libraries are unpacked, so that nobody else can put theirs in that place. */
package dev.lethe.natives;
