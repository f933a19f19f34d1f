/** Measures of an assessment that are taken where they are asked for. */
package dev.lethe.assess.further;
