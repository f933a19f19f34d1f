/**
 * How the loss of a data set bends around an adapter: losses and gradients of a data set, Hessian,
 * Gauss-Newton, Fisher and EK-FAC products, and the batches that are kept for them. A {@link
 * dev.lethe.curvature.CurvatureOperator} multiplies without ever being a matrix; every operator is a fixed
 * sum in a fixed order.
 */
package dev.lethe.curvature;
