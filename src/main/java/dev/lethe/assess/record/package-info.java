/** What an assessment found: sections of numbers, and the file that keeps them. */
package dev.lethe.assess.record;
