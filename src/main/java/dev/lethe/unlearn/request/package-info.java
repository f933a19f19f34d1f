/** What to forget: rows to remove, and rows that others replace; and the task that a method gets with it. */
package dev.lethe.unlearn.request;
