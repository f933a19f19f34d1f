/**
 * Sums over rows in one fixed order, whoever makes their parts: the rows of a data set lie in fixed blocks, and the
 * blocks' terms are added in a binary tree. A part of the blocks leaves the nodes of the tree that it covers; put
 * together, they give the bytes of the whole.
 */
package dev.lethe.curvature.sum;
