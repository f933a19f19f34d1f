/** What an unlearning leaves: the step, the new adapter, and the state of an interrupted run. */
package dev.lethe.unlearn.result;
