"""Makes the small tokenizers of this folder and what transformers makes of hard strings with them.

    python make_tokenizers.py              small tokenizers and golden.json
    python make_tokenizers.py REAL         also real.json, with the real tokenizers in the folder REAL

Each small tokenizer has the normalizer, pre-tokenizer, decoder and configuration of a family, and a vocabulary that was
learned from the strings below. The real ones are those of README.md. Written with transformers 5.17.0, tokenizers 0.23.2.
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE
from transformers import AutoTokenizer

HERE = Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace("{1,3}", "")
REAL = ["llama2", "mistral", "llama3", "qwen3", "gemma3", "gpt2", "deepseek3"]

STRINGS = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\r\n", "\t", "\t\t\n \t", " a", "a ", " a ", "  a  b   c    d",
    "Hello, world!", "hello world", " Hello", "HELLO WORLD", "I'm you're WE'LL they'd it's IT'S 'tis o'clock",
    "1", "12", "123", "1234", "12345678901234567890", "3.14159", "1,000,000", "0x1F", "v2.0.1-rc3", "٣٤٥", "१२३", "Ⅻ ½ ²",
    "caf\u00e9", "cafe\u0301", "\u00c5 A\u030a \u212b", "e\u0301\u0323 e\u0323\u0301", "o\u0308o\u0308\u0304", "a" + "\u0301" * 12,
    "ﬁ ﬀ ﬃ", "ＡＢＣ１２３", "ſ ß ẞ İ ı", "Ω Ω K K", "\u1100\u1161\u11a8 각", "नमस्ते दुनिया", "สวัสดีชาวโลก", "مرحبا بالعالم",
    "שָׁלוֹם עוֹלָם", "Привет, мир", "γειά σου", "你好，世界！", "こんにちは世界", "안녕하세요 세계", "漢字かな交じり文𠮷野家", "繁體字",
    "🙂", "🙂🙂", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "❤️ ❤", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a🙂b", "\U0001F9D1\u200d\U0001F680 lifts off", "\U000E0001\U0010FFFD",
    "zero\u200bwidth", "no\u00a0break", "thin\u2009space", "ideographic\u3000space", "line\u2028sep\u2029para", "\u00ad soft", "\ufeffbom",
    "a\u200db", "a\u200cb", "\u202eright to left\u202c", "\u0085next", "\x0bvt\x0cff", "\x01\x02\x1b[31m\x7f", "\x80\x9f", "\ufffd", "\ufffe\uffff",
    "<s>", "</s>", "<unk>", "<s>Hello</s>", " <s> Hello </s> ", "<pad>", "[INST] Hi [/INST]", "<<SYS>>", "<|endoftext|>",
    "a<|endoftext|>b", "a <|endoftext|> b", "<|im_start|>user\nHi<|im_end|>\n", "<|im_end|> x", "<| im_end |>", "<|IM_END|>", "<|begin_of_text|>",
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "<bos>", "<eos>", "<start_of_turn>user\nHi<end_of_turn>\n", "<think>\n\n</think>\n\n",
    "<0x0A>", "<0xFF>", "▁", "▁▁a", " ▁a", "a▁b", "Ġ", "Ċ", "ĠHello", "Ã©",
    "def f(x):\n    return x ** 2  # 平方\n\n\nclass A:\n\tpass\n", "if (a<=b && c!=d) { x[i]++; } // end", "https://example.org/a?b=c&d=%20#e",
    "user@example.org", "{\"key\": [1, 2.5e-3, null]}", "\\n \\t \\u0041", "$x^2 + y_1 = \\frac{a}{b}$", "----------", "==========\n", "!!!???...", "…—–‘’“”«»",
    "a" * 300, "ab" * 200, "antidisestablishmentarianism" * 8, "Donaudampfschifffahrtsgesellschaftskapitän", "x" + " " * 100 + "y", "\n" * 40, "\t" * 17 + "x",
    "9" * 120, "🙂" * 30, "你" * 60, " " * 33, "a\n \n  \n b", "end with space \n", "'" * 9, "ab'Sé 'ſ don't DON'T", "1a2b3c 4d", "Ünïcödé ÀÉÎ",
    "The quick brown fox jumps over the lazy dog. ", "Once upon a time, there was a little girl named Lily.", "### Instruction:\nSay hi.\n\n### Response:\n",
]


def random_strings(count):
    """Strings of pieces that seldom meet."""
    random.seed(11)
    pieces = [s for s in STRINGS if 0 < len(s) < 12] + list("aZ09 .,'-_\n\té🙂字")
    return ["".join(random.choice(pieces) for _ in range(random.randint(2, 9))) for _ in range(count)]


CORPUS = STRINGS + random_strings(120)


def learn(tokenizer, size, alphabet, special):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator([s for s in CORPUS if "<" not in s] * 2, trainer)
    return json.loads(tokenizer.to_str())["model"]


def byte_level(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def sentence_piece(special, configure):
    """A BPE with byte fallback, as SentencePiece's converted models are."""
    tokenizer = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    model = learn(tokenizer, 900, [], special + ["<0x%02X>" % b for b in range(256)])
    tokenizer = Tokenizer(BPE(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]], unk_token="<unk>",
                              fuse_unk=True, byte_fallback=True))
    configure(tokenizer)
    tokenizer.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in special])
    return tokenizer


def begins_with(tokenizer, bos):
    return processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1",
                                         special_tokens=[(bos, tokenizer.token_to_id(bos))])


def llama2():
    def configure(t):
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t = sentence_piece(["<unk>", "<s>", "</s>"], configure)
    t.post_processor = begins_with(t, "<s>")
    return t, {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": True, "add_eos_token": False,
               "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None, "additional_special_tokens": ["[INST]"]}


def mistral():
    t, config = llama2()
    return t, config | {"legacy": True}


def gemma3():
    def configure(t):
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t = sentence_piece(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"], configure)
    t.post_processor = begins_with(t, "<bos>")
    return t, {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<end_of_turn>", "unk_token": "<unk>", "pad_token": "<pad>",
               "extra_special_tokens": {"boi_token": "<start_of_turn>"}}


def llama3():
    t = Tokenizer(BPE(ignore_merges=True))
    t.pre_tokenizer, t.decoder = byte_level(LLAMA3), decoders.ByteLevel()
    learn(t, 900, pre_tokenizers.ByteLevel.alphabet(), [])
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in
                          ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]])
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), begins_with(t, "<|begin_of_text|>")])
    return t, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}


def qwen3():
    t = Tokenizer(BPE(continuing_subword_prefix="", end_of_word_suffix=""))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizers.NFC(), byte_level(QWEN), decoders.ByteLevel()
    learn(t, 900, pre_tokenizers.ByteLevel.alphabet(), [])
    special = [AddedToken(s, normalized=False, special=True) for s in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]]
    t.add_special_tokens(special)
    t.add_tokens([AddedToken(s, normalized=False) for s in ["<think>", "</think>"]])
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    decoder = {str(i): {"content": a.content, "lstrip": a.lstrip, "normalized": a.normalized, "rstrip": a.rstrip,
                        "single_word": a.single_word, "special": a.special} for i, a in t.get_added_tokens_decoder().items()}
    return t, {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None,
               "add_bos_token": False, "added_tokens_decoder": decoder, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}


def gpt2():
    t = Tokenizer(BPE())
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    learn(t, 900, pre_tokenizers.ByteLevel.alphabet(), [])
    t.add_special_tokens([AddedToken("<|endoftext|>", normalized=True, special=True)])
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    return t, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}


def encoded(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer(s)["input_ids"] for s in CORPUS]


def main():
    golden = {}
    for make in (llama2, mistral, gemma3, llama3, qwen3, gpt2):
        folder = HERE / make.__name__
        folder.mkdir(exist_ok=True)
        tokenizer, config = make()
        (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False) + "\n")
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2) + "\n")
        golden[make.__name__] = encoded(folder)
    write("golden.json", golden)
    if len(sys.argv) > 1:
        write("real.json", {name: encoded(Path(sys.argv[1]) / name) for name in REAL})


def write(name, ids):
    (HERE / name).write_text(json.dumps({"text": CORPUS, "ids": ids}, separators=(",", ":")) + "\n")


main()
