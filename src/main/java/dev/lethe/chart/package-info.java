/** Charts as SVG, drawn without a library, in colours that people with any colour vision tell apart. */
package dev.lethe.chart;
