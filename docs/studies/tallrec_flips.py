"""Rows and requests of studies/tallrec.json, from TALLRec's movie data.

    python3 docs/studies/tallrec_flips.py FILES/tallrec/movie_valid.json FILES/tallrec

writes tallrec-120.jsonl (the first 120 rows), strangers.jsonl (20 later ones) and flips.jsonl: the first 12 rows with
the other answer. The data is for research only and is not kept here.
"""

import json
import pathlib
import sys

rows = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
folder = pathlib.Path(sys.argv[2])
OTHER = {"Yes.": "No.", "No.": "Yes."}


def write(name, chosen):
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in chosen]
    (folder / name).write_text("".join(lines), encoding="utf-8")


write("tallrec-120.jsonl", rows[:120])
write("strangers.jsonl", rows[200:220])
write("flips.jsonl", [row | {"output": OTHER[row["output"]]} for row in rows[:12]])
