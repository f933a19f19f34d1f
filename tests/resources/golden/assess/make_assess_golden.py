#!/usr/bin/env python3
"""Writes metrics.json: what the benchmarks' own libraries make of words, texts and scores.

    make_assess_golden.py TEXTS

TEXTS is a JSON Lines file with "question" and "answer", such as TOFU's full.json; a sample of its words goes in, no row.
Stems are NLTK's, which rouge_score uses; ROUGE-L is rouge_score's rule on them; zlib is Python's; Min-K%, Min-K%++ and
the intervals are numpy's. Needs nltk and numpy.
"""
import json
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import nltk
from nltk.stem.porter import PorterStemmer

STEMMER = PorterStemmer()

# Words that reach each rule and each departure of NLTK's from Porter's paper.
RULES = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned
falling hissing fizzed failing filing happy sky enjoy enjoyment fly spied tried died relational conditional rational valenci
hesitancy digitizer conformably radically differently vilely analogously vietnamization predication operator feudalism
decisiveness hopefulness callousness formality sensitivity sensibility triplicate formative formalize electricity electrical
hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment
dependent adoption homologous communism activate angularity effective bowdlerize probate rate cease controlling rolled
skies dying lying tying news innings cannings howe proceed exceed succeed geology theologically yyy syzygy eyed owed egged
1956 08th x2y abed ated ied eed ing oed playing yes crying layed stayed ally rally fully skillfully carefully ion lion
""".split()


def words(text):
    found = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
    return [STEMMER.stem(w) if len(w) > 3 else w for w in found]


def rouge_l(truth, guess):
    a, b = words(truth), words(guess)
    if not a or not b:
        return 0.0, 0.0
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
    return float(table[-1, -1] / len(a)), float(table[-1, -1] / len(b))


def min_k(token, share):
    count = max(1, int(len(token) * share))
    return float(np.mean(sorted(token)[:count]))


def min_k_rows():
    random = np.random.default_rng(1)
    rows = []
    for tokens in (1, 4, 7, 23):
        logits = random.normal(size=(tokens, 11)) * 3
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        target = random.integers(0, 11, tokens)
        token = logs[np.arange(tokens), target]
        p = np.exp(logs)
        mean = (p * logs).sum(-1)
        variance = (p * logs**2).sum(-1) - mean**2
        standard = (token - mean) / np.sqrt(np.maximum(variance, 1e-6))
        rows.append(
            {
                "logProbability": token.tolist(),
                "mean": mean.tolist(),
                "variance": variance.tolist(),
                "minK": min_k(token, 0.4),
                "minKPlusPlus": min_k(standard, 0.4),
                "margin": float(np.mean(np.log(np.exp(token) / (1 - np.exp(token))))),
            }
        )
    return rows


def quantiles():
    values = np.random.default_rng(2).normal(size=37)
    return {"values": values.tolist(), "low": float(np.quantile(values, 0.025)), "high": float(np.quantile(values, 0.975))}


def main():
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    answers = [row["answer"] for row in rows]
    seen = sorted({w for text in answers for w in re.sub(r"[^a-z0-9]+", " ", text.lower()).split()})
    sample = seen[:: max(1, len(seen) // 1500)]
    texts = [
        ["The cat sat on the mats.", "cats were sitting on a mat"],
        ["Basil was born on 08/09/1956 in Kuwait City", "He was born in Kuwait City, on 8 September 1956"],
        ["Romantic comedies", "a romantic comedy"],
        ["yes", ""],
        ["an answer", "an answer"],
    ]
    out = {
        "nltk": nltk.__version__,
        "stems": {w: STEMMER.stem(w) for w in sorted(set(RULES + sample)) if len(w) > 3},
        "rouge": [{"truth": a, "guess": b, "recall": rouge_l(a, b)[0], "precision": rouge_l(a, b)[1]} for a, b in texts],
        "zlib": {t: len(zlib.compress(t.encode())) for t in ("yes", "a" * 500, "Ünïcode ✓ text, with words and words.")},
        "minK": min_k_rows(),
        "quantile": quantiles(),
    }
    Path(__file__).with_name("metrics.json").write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
