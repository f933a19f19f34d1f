package dev.lethe.assess.record;

/**
 * A row in words, kept only where that was asked for.
 *
 * @param group which rows it is of
 * @param id its name
 * @param query what is asked
 * @param truth the right answer
 * @param original what the original adapter says
 * @param unlearned what the unlearned one says
 * @param retrained what the retrained one says
 */
public record ShownText(
    String group, String id, String query, String truth, String original, String unlearned, String retrained) {}
