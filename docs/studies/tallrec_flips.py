"""Rows and requests of studies/tallrec.json, from TALLRec's movie data.

    python3 docs/studies/tallrec_flips.py FILES/tallrec/movie_valid.json FILES/tallrec

writes tallrec-120.jsonl (the first 120 rows of at most 500 characters, which the 512 tokens of stories260K hold),
strangers.jsonl (the next 20) and flips.jsonl: the first 12 rows with the other answer. The data is for research only
and is not kept here.
"""

import json
import pathlib
import sys

rows = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
rows = [row for row in rows if len(row["instruction"] + row["input"] + row["output"]) <= 500]
folder = pathlib.Path(sys.argv[2])
OTHER = {"Yes.": "No.", "No.": "Yes."}


def write(name, chosen):
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in chosen]
    (folder / name).write_text("".join(lines), encoding="utf-8")


write("tallrec-120.jsonl", rows[:120])
write("strangers.jsonl", rows[120:140])
write("flips.jsonl", [row | {"output": OTHER[row["output"]]} for row in rows[:12]])
