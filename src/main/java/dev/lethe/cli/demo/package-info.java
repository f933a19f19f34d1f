/**
 * The demonstration: a tiny language model that Lethe trains itself in a small invented world, an adapter
 * that learns facts about new people, and what happens when it has to unlearn some of them. Nothing is
 * downloaded and everything random comes from one seed.
 */
package dev.lethe.cli.demo;
