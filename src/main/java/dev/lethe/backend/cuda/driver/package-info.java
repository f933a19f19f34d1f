/** CUDA devices: what {@link dev.lethe.backend.cuda.driver.Device} a machine has, and how it is driven. */
package dev.lethe.backend.cuda.driver;
