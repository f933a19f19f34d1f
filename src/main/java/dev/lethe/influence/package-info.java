/**
 * How the loss of a data set bends around an adapter, and linear systems in that curvature. A
 * {@link dev.lethe.influence.CurvatureOperator} multiplies without ever being a matrix; a {@link
 * dev.lethe.influence.Solver} needs nothing else, so curvatures and solvers combine freely. Every
 * operator is a fixed sum in a fixed order, every solver is deterministic and can be stopped after
 * any iteration and continued to the same bytes.
 */
package dev.lethe.influence;
