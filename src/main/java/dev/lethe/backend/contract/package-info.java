/**
 * What every backend must do: each kernel in each mode against the reference backend, on buffers between guard zones,
 * made twice with the same bytes. Tests run all of it, {@code lethe selftest} some cases of each mode on the user's
 * machine, before a device or a build that computes wrongly spoils a result.
 */
package dev.lethe.backend.contract;
