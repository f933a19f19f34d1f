/** An assessment as one page for readers who are no engineers. */
package dev.lethe.assess.report;
