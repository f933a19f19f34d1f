// What the attention kernels share. Causal attention over packed sequences: query head j reads key head j / group. With c
// = 1/sqrt(d), L the row log-sum-exp, and a dot for tangents:
//
//   S = c q k^T   P = exp(S - L)   o = P v
//   S' = c (q' k^T + q k'^T)   mu = rowsum(P S')   P' = P (S' - mu)   o' = P' v + P v'
//   D = rowsum(go o)   A = P (go v^T - D)   gq = c A k   gk = c A^T q   gv = P^T go
//   D' = rowsum(go' o + go o')   A' = P' (go v^T - D) + P (go' v^T + go v'^T - D')
//   gq' = c (A' k + A k')   gk' = c (A'^T q + A^T q')   gv' = P'^T go + P^T go'
#pragma once

#include "device.cuh"

// One sequence: its queries stand at its last keys.
struct AttentionSequence {
  int64_t query0;  // row of the first query
  int64_t queries;
  int64_t key0;
  int64_t keys;
  int64_t window;  // 0: no limit

  DEVICE_MEMBER AttentionSequence(const int32_t* query_starts, const int32_t* key_starts, int64_t sequence,
                                  int64_t key_window)
      : query0(query_starts[sequence]),
        queries(query_starts[sequence + 1] - query0),
        key0(key_starts[sequence]),
        keys(key_starts[sequence + 1] - key0),
        window(key_window) {}

  // The last key that a query sees: the one at its own position.
  DEVICE_MEMBER int64_t last_key(int64_t query) const { return query + keys - queries; }

  DEVICE_MEMBER int64_t first_key(int64_t query) const {
    return window == 0 ? 0 : max(int64_t{0}, last_key(query) - window + 1);
  }

  DEVICE_MEMBER bool sees(int64_t query, int64_t key) const {
    return query < queries && key <= last_key(query) && key >= first_key(query);
  }

  // The queries that see a key, where queries and keys are as many.
  DEVICE_MEMBER int64_t end_query(int64_t key) const { return window == 0 ? queries : min(queries, key + window); }
};

// The quantities of a pair of query and key that gradients are sums of.
struct AttentionPair {
  float p;   // P
  float a;   // A
  float dp;  // P'
  float da;  // A'
};

// Row statistics of one query.
struct AttentionRow {
  float lse;     // L
  float mu;      // mu
  float delta;   // D
  float ddelta;  // D'
};

// p: P, ds: S', gp: go v^T, dgp: go' v^T + go v'^T
DEVICE AttentionPair attention_pair(const AttentionRow& row, float p, float ds, float gp, float dgp) {
  float dp = p * (ds - row.mu);
  return {p, p * (gp - row.delta), dp, dp * (gp - row.delta) + p * (dgp - row.ddelta)};
}

// value[index], or 0 where there is no such array.
DEVICE float attention_statistic(const float* values, int64_t index) {
  return values == nullptr ? 0.f : values[index];
}
