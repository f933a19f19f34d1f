/** What this machine has, what runs on it, and how much of its memory work takes. */
package dev.lethe.session.machine;
