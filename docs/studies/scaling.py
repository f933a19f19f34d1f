#!/usr/bin/env python3
"""How products over rows scale: a model of one job a product, for the tables of docs/scaling.md.

A product's time is that of the slowest worker plus what does not shrink: Spark's start of a job, a vector of P floats to
every worker, and the nodes of the sums back to the driver, which adds them. Nothing overlaps. All inputs are below, each
with its source; none was measured on a GPU or a cluster.
"""

ROW_TOKENS = 200
P = 32 * 2 * 8 * 2 * 4096   # COUNTED: rank 8 on q and v of llama7b, the adapter of `bench --workload llama7b`
VECTOR = 4 * P              # COUNTED: bytes
# PREDICTED: seconds a token, `bench --predict --workload llama7b --ops ggn,hvp_again` (docs/gpu-model.md, one H200). The
# model has no Gauss-Newton product at a kept linearization apart; the Hessian's, which does more, stands for it.
ANEW = 0.1454 / 2048
KEPT = 0.1119 / 2048
KEPT_BYTES = 2 * (32 * (4 * 4096 + 3 * 8192 + 3 * 11008) + 32000)  # COUNTED: a token, nn/MemoryNeed, bfloat16
BUDGET = (141e9 - 2 * 6.74e9) / 2   # COUNTED: half of what the weights leave (curvature/MemoryBudget)
NET = 25e9 / 8          # STATED: bytes a second of the driver's link, 25 Gbit/s
HOST_ADD = 2e9          # ASSUMED: bytes a second at which the driver adds nodes
JOB = 0.05              # ASSUMED: seconds of Spark's scheduling of a small job


def nodes_of(first, end):
    """How many nodes of the binary tree blocks first … end − 1 make (curvature/sum/SumTree)."""
    count = 0
    while first < end:
        size = 1
        while first % (2 * size) == 0 and first + 2 * size <= end:
            size *= 2
        first += size
        count += 1
    return count


def start(index, count, blocks):
    """Where a part begins (curvature/sum/BlockRange)."""
    step = max(1, 1 << (blocks // count // 16).bit_length() >> 1)
    return blocks if index == count else min(blocks, (blocks * index // count + step // 2) // step * step)


def product(rows, workers):
    blocks = rows // (4096 // ROW_TOKENS)
    parts = min(workers, blocks)
    ranges = [(start(i, parts, blocks), start(i + 1, parts, blocks)) for i in range(parts)]
    largest = max(end - first for first, end in ranges) / blocks
    tokens = rows * largest * ROW_TOKENS
    kept = min(tokens, BUDGET / KEPT_BYTES)
    compute = kept * KEPT + (tokens - kept) * ANEW
    nodes = sum(nodes_of(first, end) for first, end in ranges)
    # Spark's broadcast goes from peer to peer: about the time of two copies on the driver's link
    send = 0 if workers == 1 else 2 * VECTOR / NET
    back = 0 if workers == 1 else nodes * VECTOR / NET
    add = 0 if workers == 1 else nodes * VECTOR / HOST_ADD
    job = 0 if workers == 1 else JOB
    return compute, send, back + add, job


def main():
    print("| rows | GPUs | compute | vector out | sums back and added | job | product | speed-up | efficiency |")
    print("|---|---|---|---|---|---|---|---|---|")
    for rows in (10_000, 1_000_000):
        alone = sum(product(rows, 1))
        for workers in (1, 8, 64, 512):
            parts = product(rows, workers)
            total = sum(parts)
            cells = " | ".join(f"{x:,.2f} s" for x in parts)
            print(f"| {rows:,} | {workers} | {cells} | {total:,.1f} s | {alone / total:.1f} |"
                  f" {100 * alone / total / workers:.0f} % |")


main()
