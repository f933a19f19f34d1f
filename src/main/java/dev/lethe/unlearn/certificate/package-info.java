/** What an unlearning did, how well its conditions held, and what it cost: ids, hashes, numbers. */
package dev.lethe.unlearn.certificate;
