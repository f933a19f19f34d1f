/**
 * Work on blocks of rows that others do too: several copies of a model, in other threads or on other machines, each of
 * which gets some of the blocks.
 */
package dev.lethe.data.work;
