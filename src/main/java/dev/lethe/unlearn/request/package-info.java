/** What to forget: rows to remove, and rows that others replace. */
package dev.lethe.unlearn.request;
