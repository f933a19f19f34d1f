/**
 * Chat templates: the part of Jinja that they use, rendered as transformers renders it. Templates come with models and are
 * not trusted: they reach nothing but the values they are given, and their steps, depth and output are bounded.
 */
package dev.lethe.data.jinja;
