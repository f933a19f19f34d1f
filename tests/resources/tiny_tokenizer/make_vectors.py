"""Writes what transformers makes of some texts with this tokenizer.

    python tests/resources/tiny_tokenizer/make_vectors.py tests/resources/tiny_tokenizer
"""

import json
import sys
from pathlib import Path

from transformers import AutoTokenizer

folder = Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(folder)
TEXTS = [
    "", " ", "  ", "\n", "a", "Once upon a time", " Once upon a time", "Once  upon\n\na time.", "\tTab",
    "Lily's mom said, \"Don't!\"", "käse 日本 🦙", "</s>", "a</s>b", "<s>", "<unk> x", "▁", "e\u0301",
    "Question: Who?\nAnswer:", " Nobody.", "x" * 300, "once upon a time " * 400,
]
cases = []
for text in TEXTS:
    ids = tokenizer(text, add_special_tokens=True)["input_ids"]
    bare = tokenizer(text, add_special_tokens=False)["input_ids"]
    cases.append({"text": text, "ids": ids, "bare": bare,
                  "decoded": tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)})
(folder / "vectors.json").write_text(json.dumps(cases, ensure_ascii=False) + "\n")
