/**
 * What a case of the contract runs on: a bench with the tested backend and the reference, buffers between guard zones,
 * and findings. A case draws its values from a seed, calls a kernel on both sides, and compares.
 */
package dev.lethe.backend.contract.harness;
