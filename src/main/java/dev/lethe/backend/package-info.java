/**
 * What a device must be able to do: one small interface an operation, each in the four modes forward,
 * tangent, backward and backward tangent. A backend is one implementation of {@link
 * dev.lethe.backend.Backend}, found through {@link dev.lethe.backend.Backends}; the layers above know
 * no other.
 *
 * <p>A call of a kernel is a record beside the kernel's method, a {@link dev.lethe.backend.kernel.KernelCall}. {@link
 * dev.lethe.backend.Backend#run} checks its shapes and formats, once for all backends, and computes it.
 *
 * <p>Conventions of all kernels: N is the number of token rows of a packed batch, D a width, k the
 * number of directions that share one primal. Tangents and adjoints carry a leading k, {@code (k,N,D)};
 * primal values do not, {@code (N,D)}. A null tangent or adjoint is a structural zero. Outputs are
 * overwritten unless a parameter named {@code accumulate} or the word "adds" says otherwise. Outputs
 * never alias inputs unless stated. Nothing is allocated that outlives the call. Activations and their
 * tangents and adjoints are in {@link dev.lethe.backend.Backend#activationType}; row statistics (the
 * norm's r, attention's L, D, μ), row losses and weights, dots, rotary tables, parameters, directions
 * and gradients are in {@link dev.lethe.backend.Backend#vectorType}; indices are I32. A tensor may begin
 * at any multiple of its element size.
 */
package dev.lethe.backend;
