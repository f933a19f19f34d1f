/** A model opened on a device, what this machine has, and the folders and interrupts of long runs. */
package dev.lethe.session;
