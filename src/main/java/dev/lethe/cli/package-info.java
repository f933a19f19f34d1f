/**
 * The command line: one class a command. Results go to standard output, everything else to standard error;
 * only this package prints and only {@link dev.lethe.cli.Main} ends the process.
 */
package dev.lethe.cli;
