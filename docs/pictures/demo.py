"""Draws demo.svg from demo.json, which `bin/lethe demo --json` wrote: python docs/pictures/demo.py"""
import json
import pathlib

FOLDER = pathlib.Path(__file__).parent
WIDTH, LEFT, RIGHT, TOP, LINE = 860, 330, 30, 92, 24
GREY, BLUE, BLACK = "#9aa3ad", "#1f6feb", "#1b1f24"


def rows(report):
    """(heading, [(label, trained, forgotten, retrained)]) of each request."""
    words = {"remove": "remove 3 facts", "correct the answer": "correct 2 answers", "change the question": "change 2 questions"}
    for task in report["tasks"]:
        groups = {g["name"]: (g["original"], g["unlearned"], g["retrained"]) for g in task["groups"]}
        yield words[task["name"]], [(n, *groups[n]) for n in ("forgotten", "new version", "retained") if n in groups]
    ways = {w["name"]: w for w in report["asTrained"]["ways"]}
    parts = [(n, *(ways[w][n] for w in ("as it was", "recorded", "exact"))) for n in ("forgotten", "retained")]
    yield "AdamW: remove 3 facts", parts


def draw(report):
    out, y = [], TOP
    requests = list(rows(report))
    top = max(v for _, lines in requests for line in lines for v in line[1:]) * 1.05
    height = TOP + sum(len(lines) + .6 for _, lines in requests) * LINE + 34

    def x(loss):
        return LEFT + (WIDTH - LEFT - RIGHT) * loss / top

    def text(at, base, words, **style):
        style = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in style.items())
        out.append(f'<text x="{at:.1f}" y="{base:.1f}"{style}>{words}</text>')

    for loss in range(int(top) + 1):
        out.append(f'<path d="M{x(loss):.1f} {TOP - 16}V{height - 30:.1f}" stroke="#e4e7eb"/>')
        text(x(loss), height - 12, loss, text_anchor="middle", fill="#57606a")
    for heading, lines in requests:
        text(20, y + 4, heading, font_weight="600")
        for label, trained, forgotten, retrained in lines:
            text(LEFT - 14, y + 4, label, text_anchor="end", fill="#57606a")
            out.append(f'<path d="M{x(trained):.1f} {y}H{x(forgotten):.1f}" stroke="{BLUE}" stroke-opacity=".35" stroke-width="4"/>')
            out.append(f'<circle cx="{x(trained):.1f}" cy="{y}" r="5" fill="{GREY}"/>')
            out.append(f'<circle cx="{x(forgotten):.1f}" cy="{y}" r="5" fill="{BLUE}"/>')
            out.append(f'<circle cx="{x(retrained):.1f}" cy="{y}" r="7.5" fill="none" stroke="{BLACK}" stroke-width="1.6"/>')
            y += LINE
        y += LINE * .6
    text(20, 28, "What the adapter forgot, and what training again without the rows would have forgotten", font_size=15, font_weight="600")
    at = 20
    for mark, words, step in (
        (f'fill="{GREY}" r="5"', "trained on all rows", 160),
        (f'fill="{BLUE}" r="5"', "after lethe unlearn", 160),
        (f'fill="none" stroke="{BLACK}" stroke-width="1.6" r="7.5"', "trained again without them: a blue dot belongs into its ring", 0),
    ):
        out.append(f'<circle cx="{at + 6}" cy="50" {mark}/>')
        text(at + 20, 54, words, fill="#57606a")
        at += step
    text(LEFT - 14, height - 12, "mean loss, nats a token", text_anchor="end", fill="#57606a")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{BLACK}">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n"
    )


if __name__ == "__main__":
    (FOLDER / "demo.svg").write_text(draw(json.loads((FOLDER / "demo.json").read_text())))
