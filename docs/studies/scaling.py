#!/usr/bin/env python3
"""How products over rows scale: a model of one job a product, for the tables of docs/scaling.md.

A product's time is that of the slowest worker plus what does not shrink: Spark's start of a job, a vector of P floats to
every worker, and the nodes of the sums back to the driver, which adds them. Nothing overlaps. All inputs are below;
none was measured on a GPU or a cluster.
"""

ROW_TOKENS = 200
P = 40.0e6              # parameters of a rank-16 adapter on all linear layers of Llama-2-7B (docs/trajectory.md)
VECTOR = 4 * P          # bytes
FLOPS_TOKEN = 2 * 6.74e9
FORWARDS = 2            # a product at a kept linearization costs two forwards ("Linearization")
GPU = 989e12 * 0.30     # ASSUMED: 30 % of an H100's dense bfloat16 peak; no time of Lethe on a GPU was measured
NET = 25e9 / 8          # ASSUMED: bytes a second of the driver's link, 25 Gbit/s
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
    compute = rows * largest * ROW_TOKENS * FLOPS_TOKEN * FORWARDS / GPU
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
