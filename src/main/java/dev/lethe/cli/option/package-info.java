/** Options that commands share, and what each turns into. */
package dev.lethe.cli.option;
