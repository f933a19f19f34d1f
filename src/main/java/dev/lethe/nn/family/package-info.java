/**
 * What distinguishes one family of models from another: its layers' parts and sizes, and the names of its weights in
 * files.
 */
package dev.lethe.nn.family;
