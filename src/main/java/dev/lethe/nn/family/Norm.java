package dev.lethe.nn.family;

/** The norms of a decoder layer; a family has those that its {@link WeightNames} name. */
public enum Norm {
  /** Of what attention reads. */
  BEFORE_ATTENTION,
  /** Of the gated unit's input. */
  BEFORE_MLP,
  /** Of queries, before they are rotated. */
  QUERY,
  /** Of keys likewise. */
  KEY,
  /** Of what attention adds to the residual stream. */
  AFTER_ATTENTION,
  /** Of what the gated unit adds. */
  AFTER_MLP
}
