/** Standard streams, exit codes and Ctrl-C. */
package dev.lethe.cli.terminal;
