/** The measures of an assessment as plain functions of numbers and texts, each with its source. */
package dev.lethe.assess.metric;
