"""Draws floor-plan.svg, the packages of Lethe as floors of a house: python docs/pictures/floor_plan.py

Who stands on which floor is what tests/java/dev/lethe/ArchitectureTest.java enforces.
"""
import pathlib

# Floors from top to bottom: rooms of (package, what is in it, share of the width, stations of the road).
FLOORS = [
    [("cli", "commands, options, terminal, demo", 3, ""), ("study", "plans of commands over seeds", 2, "")],
    [("assess", "how near to retraining", 2, ""), ("bench", "lethe bench, compare", 2, ""), ("shard", "parts of sums", 1.5, "")],
    [("session", "a model opened on a device; folders and interrupts of long runs", 4, ""), ("chart", "SVG", 1, "")],
    [("unlearn", "request → result, certificate; baseline", 3, "7"), ("evaluate", "losses, KL, AUC", 2, "")],
    [("replay", "recorded steps again; operator, prepare", 3, "6"), ("influence", "which row helps whom", 2, "")],
    [("trajectory", "what a training leaves", 2.5, ""), ("solve", "(C + λI) x = b: CG, MINRES, …", 2.5, "5")],
    [("train", "AdamW, SGD, schedules", 2.5, ""), ("curvature", "Hessian, Gauss-Newton, EK-FAC", 2.5, "")],
    [("nn", "model families, LoRA adapters, whole models' derivatives", 5, "")],
    [("autograd", "tape, linearization; op: four rules an op", 3, "3 4"), ("data", "rows, templates, requests", 2, "")],
    [("backend", "kernel contracts; reference, cpu, cuda", 3, ""), ("tokenizer", "text → ids", 2, "")],
    [("natives", "unpacks libraries", 1.5, ""), ("format", "safetensors, GGUF, HF and PEFT folders", 3.5, "1 8")],
    [("tensor", "shapes, number formats, memory, scopes, vectors of floats", 5, "2")],
]
ROAD = ["1 file", "2 tensor", "3 op", "4 linearization", "5 solver", "6 or replay", "7 step and certificate", "8 adapter"]
WIDTH, LEFT, TOP, FLOOR, GAP = 860, 20, 64, 50, 8


def draw():
    out = []
    height = TOP + len(FLOORS) * (FLOOR + GAP) + 56
    inside = WIDTH - 2 * LEFT
    y = TOP
    for rooms in FLOORS:
        total = sum(share for _, _, share, _ in rooms)
        free = inside - GAP * (len(rooms) - 1)
        x = LEFT
        for name, words, share, stations in rooms:
            w = free * share / total
            fill = "#e8f1fe" if stations else "#f3f4f6"
            out.append(f'<rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="{FLOOR}" rx="6" fill="{fill}" stroke="#c4ccd4"/>')
            out.append(f'<text x="{x + 14:.1f}" y="{y + 21}" font-weight="600">{name}</text>')
            out.append(f'<text x="{x + 14:.1f}" y="{y + 39}" font-size="12" fill="#57606a">{words}</text>')
            at = x + w - 22
            for station in reversed(stations.split()):
                out.append(f'<circle cx="{at:.1f}" cy="{y + 17}" r="10" fill="#1f6feb"/>')
                out.append(f'<text x="{at:.1f}" y="{y + 21.5}" fill="#fff" font-size="12" text-anchor="middle">{station}</text>')
                at -= 26
            x += w + GAP
        y += FLOOR + GAP
    road = "  →  ".join(ROAD)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="14" fill="#1b1f24">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="{LEFT}" y="30" font-size="16" font-weight="600">The packages of dev.lethe</text>\n'
        f'<text x="{LEFT}" y="50" font-size="12" fill="#57606a">A room may use the rooms below it that ArchitectureTest names, '
        'never one above and never round in a circle.</text>\n'
        + "\n".join(out)
        + f'\n<text x="{LEFT}" y="{y + 18}" font-size="12" font-weight="600" fill="#1f6feb">The road of data</text>\n'
        f'<text x="{LEFT}" y="{y + 36}" font-size="12" fill="#57606a" xml:space="preserve">{road}</text>\n</svg>\n'
    )


if __name__ == "__main__":
    pathlib.Path(__file__).with_name("floor-plan.svg").write_text(draw())
