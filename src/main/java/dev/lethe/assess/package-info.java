/**
 * How near an unlearned adapter is to one that was trained again without the rows, measured on any PEFT adapters: {@link
 * dev.lethe.assess.Assessment} measures, {@code metric} has the measures themselves, {@code record} what is kept.
 */
package dev.lethe.assess;
