/**
 * The contracts of all kernels, one interface an operation and one method a mode, with the shapes and frozen
 * weights that they take. Tangents and adjoints carry a leading k; a null one is a structural zero.
 */
package dev.lethe.backend.kernel;
