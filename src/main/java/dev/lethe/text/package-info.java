/**
 * Text to tokens and back, and the fixed formats in which a data-set row becomes a prompt and a
 * response. The formats are Java: templates that come with models are programs and are not run.
 */
package dev.lethe.text;
