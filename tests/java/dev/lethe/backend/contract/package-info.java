/**
 * The kernel contract as tests, one class an operation, run by every backend's subclass of {@link
 * dev.lethe.backend.BackendContractTest}.
 */
package dev.lethe.backend.contract;
