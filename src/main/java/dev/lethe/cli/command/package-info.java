/** One class a command. */
package dev.lethe.cli.command;
