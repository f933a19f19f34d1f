/**
 * Numbers in memory: shapes, formats, tensors and the scopes that own them. Everything else in Lethe
 * stands on this package and it stands on the JDK alone.
 */
package dev.lethe.tensor;
