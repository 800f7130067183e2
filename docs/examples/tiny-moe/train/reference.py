"""Evaluates the exported files in f32 and writes model/reference.json for other implementations.

Everything here starts from model/: the bf16 weights as they were written, computed with in f32.
"""

import json
import math
from dataclasses import fields

import torch
import torch.nn.functional as F
from torch import Tensor

import data
import safetensors
from bpe import Tokenizer
from model import Config, TinyMoe

MODEL = data.EXAMPLE / "model"
WINDOW = 256
PROMPT = "The captain looked out over the sea, and"
GREEDY = 32
SAMPLED = 120
TEMPERATURE = 0.8
SEED = 7


def load_model() -> TinyMoe:
    content = json.loads((MODEL / "config.json").read_text())
    model = TinyMoe(Config(**{f.name: content[f.name] for f in fields(Config)}))
    tensors = safetensors.read(MODEL / "model.safetensors")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval()


def window_losses(model: TinyMoe, ids: list[int]) -> tuple[list[float], list[int]]:
    """(sum of -ln p, tokens scored) for each window; the last window may be short."""
    sums, counts = [], []
    for start in range(0, len(ids) - 1, WINDOW):
        window = torch.tensor(ids[start : start + WINDOW])
        if len(window) < 2:
            break
        logits = model(window[None, :-1])[0]
        sums.append(float(F.cross_entropy(logits, window[1:], reduction="sum")))
        counts.append(len(window) - 1)
    return sums, counts


def unigram_perplexity(training: list[int], held_out: list[int], vocabulary: int) -> float:
    """What token frequencies alone reach (add-one smoothing), over every held-out token."""
    counts = torch.bincount(torch.tensor(training), minlength=vocabulary).double() + 1
    log_p = (counts / counts.sum()).log()
    return math.exp(-float(log_p[torch.tensor(held_out)].mean()))


def experts_of_last_token(model: TinyMoe, ids: Tensor) -> list[list[int]]:
    """Which experts each MoE layer chose for the last token, in ascending order."""
    chosen: list[list[int]] = []
    hooks = [
        mixture.gate.register_forward_hook(
            lambda _module, _inputs, output: chosen.append(sorted(output[0][-1].tolist()))
        )
        for mixture in model.mixtures()
    ]
    model(ids[None])
    for hook in hooks:
        hook.remove()
    return chosen


def continuation(model: TinyMoe, ids: list[int], count: int, temperature: float) -> list[int]:
    """`count` further tokens: the likeliest at temperature 0, else sampled."""
    generator = torch.Generator().manual_seed(SEED)
    out = list(ids)
    for _ in range(count):
        logits = model(torch.tensor(out)[None])[0, -1]
        if temperature == 0:
            out.append(int(logits.argmax()))
        else:
            p = (logits / temperature).softmax(-1)
            out.append(int(torch.multinomial(p, 1, generator=generator)))
    return out[len(ids) :]


def prompt_values(model: TinyMoe, tokenizer: Tokenizer) -> dict[str, object]:
    prompt = tokenizer.encode(PROMPT)
    logits = model(torch.tensor(prompt)[None])[0, -1]
    greedy = continuation(model, prompt, GREEDY, 0)
    return {
        "text": PROMPT,
        "ids": prompt,
        "experts_of_last_token": experts_of_last_token(model, torch.tensor(prompt)),
        "last_logits_first_16": [round(float(x), 5) for x in logits[:16]],
        "last_logits_argmax": int(logits.argmax()),
        "last_logits_max": round(float(logits.max()), 5),
        "greedy_ids": greedy,
        "greedy_text": tokenizer.decode(greedy),
    }


def held_out_values(model: TinyMoe, tokenizer: Tokenizer) -> dict[str, object]:
    text = (MODEL / "held-out.txt").read_text("utf-8")
    ids = tokenizer.encode(text)
    sums, counts = window_losses(model, ids)
    mean = sum(sums) / sum(counts)
    scored = [t for start in range(0, len(ids), WINDOW) for t in ids[start + 1 : start + WINDOW]]
    scored_bytes = sum(len(tokenizer.tokens[token]) for token in scored)
    training = [token for book in data.load()[0] for token in tokenizer.encode(book)]
    unigram = unigram_perplexity(training, ids, model.config.vocab_size)
    return {
        "file": "held-out.txt",
        "scheme": "the whole file as one token sequence, cut into windows of 256 tokens without "
        "overlap (the last one shorter); each window alone, its first token not scored",
        "bytes": len(text.encode()),
        "tokens": len(ids),
        "tokens_scored": sum(counts),
        "nll_per_token": round(mean, 6),
        "perplexity": round(math.exp(mean), 4),
        "bits_per_byte": round(sum(sums) / math.log(2) / scored_bytes, 4),
        "unigram_perplexity": round(unigram, 1),
        "nll_per_window": [round(s / n, 5) for s, n in zip(sums, counts)],
    }


@torch.no_grad()
def main() -> None:
    model = load_model()
    tokenizer = Tokenizer.load(MODEL / "tokenizer.json")
    reference = {
        "weights": "model.safetensors (bf16, router bias f32), computed in f32",
        "prompt": prompt_values(model, tokenizer),
        "held_out": held_out_values(model, tokenizer),
    }
    (MODEL / "reference.json").write_text(json.dumps(reference, indent=1) + "\n")
    held_out = reference["held_out"]
    print(json.dumps({k: v for k, v in held_out.items() if k != "nll_per_window"}, indent=1))
    print("greedy:", PROMPT + reference["prompt"]["greedy_text"])
    for start in (PROMPT, "Anne could not help", '"My dear fellow,"'):
        sample = continuation(model, tokenizer.encode(start), SAMPLED, TEMPERATURE)
        print(f"temperature {TEMPERATURE}:", start + tokenizer.decode(sample), "\n")


if __name__ == "__main__":
    main()
