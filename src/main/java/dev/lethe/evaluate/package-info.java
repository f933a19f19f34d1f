/**
 * What an adapter does, in numbers that can be compared: losses by row, ranking and memorisation
 * metrics, and the distance to an adapter that was trained again, which is the one measure of
 * unlearning that does not depend on taste.
 */
package dev.lethe.evaluate;
