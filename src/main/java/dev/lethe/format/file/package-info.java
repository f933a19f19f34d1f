/** Files and folders as a whole: output appears whole or not at all, under a name that one run holds. */
package dev.lethe.format.file;
