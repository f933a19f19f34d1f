/**
 * What surrounds a piece of work that takes a while: progress for people, a safe stop that can be resumed,
 * the folder that holds its state, and the facts about program and machine that belong in a record. It is
 * apart from the command line so that other programs can use it too.
 */
package dev.lethe.run;
