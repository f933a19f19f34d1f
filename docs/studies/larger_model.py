"""Makes the larger model of docs/truth.md: a Llama of 9.9 million parameters, trained for some minutes (PyTorch).

    python3 larger_model.py TOKENIZER MINUTES OUT TEXT…

TOKENIZER is the folder of a model of 512 tokens whose tokenizer it takes, OUT the new model's folder, TEXT the files
whose text it is trained on, in windows drawn at random.
"""

import shutil
import sys
import time
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

WINDOW, BATCH, RATE = 256, 8, 1e-3
REPORT = 50


def model():
    torch.manual_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=512,
            hidden_size=384,
            intermediate_size=1024,
            num_hidden_layers=6,
            num_attention_heads=6,
            num_key_value_heads=3,
            max_position_embeddings=512,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


def train(llama, tokens, minutes):
    optimizer = torch.optim.AdamW(llama.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1)
    begin, step, losses = time.monotonic(), 0, []
    while (spent := (time.monotonic() - begin) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 50, 2 * (1 - spent))
        starts = torch.randint(len(tokens) - WINDOW, (BATCH,))
        windows = torch.stack([tokens[start : start + WINDOW] for start in starts])
        loss = llama(input_ids=windows, labels=windows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(llama.parameters(), 1)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        step += 1
        if step % REPORT == 0:
            print(f"step {step}: loss {sum(losses[-REPORT:]) / REPORT:.3f}", flush=True)


def main(folder, minutes, out, *texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pieces = [piece for text in texts for piece in Path(text).read_text().split("\n\n")]
    tokens = torch.tensor([token for ids in tokenizer(pieces).input_ids for token in ids])
    llama = model()
    print(f"{sum(p.numel() for p in llama.parameters())} parameters, {len(tokens)} tokens", flush=True)
    train(llama, tokens, float(minutes))
    llama.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(Path(folder) / name, Path(out) / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
