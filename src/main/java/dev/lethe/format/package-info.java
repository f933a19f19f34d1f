/**
 * What all file formats share: strict JSON, places in files and refusals. Files come from strangers,
 * so everything is checked before memory is taken for it, every way to be wrong has its own {@link
 * dev.lethe.format.FormatException.Kind}, and nothing is ever executed.
 */
package dev.lethe.format;
