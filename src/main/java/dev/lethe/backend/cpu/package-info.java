/**
 * The float32 backend for processors. Its kernels are written once, over small interfaces of arithmetic ({@link
 * dev.lethe.backend.cpu.primitive.Primitives}) that native code ({@code native/cpu}), the Vector API and plain
 * Java implement with the same bytes as the result; so it runs without any flag or compiler, fast
 * with {@code --add-modules jdk.incubator.vector}, and fastest where the native library is there.
 * Nothing outside of it may see the Vector API. Results do not depend on the number of threads:
 * every number is summed by one thread in one order.
 */
package dev.lethe.backend.cpu;
