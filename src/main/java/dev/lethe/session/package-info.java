/** A model opened on a device, and the folders and interrupts of long runs. */
package dev.lethe.session;
