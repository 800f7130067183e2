"""Trains the tokenizer; writes it, its test vectors and the held-out text to `model/`."""

import json
import time

import bpe
import data

VOCAB = 2048
MODEL = data.EXAMPLE / "model"

VECTORS = [
    "",
    " ",
    "a",
    "Call me Ishmael.",
    "It was the whale's own fault; they'd seen him, and we'll say so.",
    "  two spaces, then\ttab\n\nand a new paragraph   \n",
    'He said: "No!"--and left (in 1851).',
    "Na\u00efve caf\u00e9, \u00e6ther, \u00a312",
    "\u9be8 \U0001f433 \u043a\u0438\u0442",
    "trailing spaces   ",
    "<|endoftext|> is plain text here",
    "ALL CAPITALS, x2y3z4",
]


def main() -> None:
    books, validation, held_out = data.load()
    started = time.time()
    tokenizer = bpe.Tokenizer(bpe.train_merges(books, VOCAB - 257))
    print(f"tokenizer trained in {time.time() - started:.1f} s")
    MODEL.mkdir(exist_ok=True)
    tokenizer.save(MODEL / "tokenizer.json")
    vectors = [{"text": text, "ids": tokenizer.encode(text)} for text in VECTORS]
    for vector in vectors:
        if tokenizer.decode(vector["ids"]) != vector["text"]:
            raise SystemExit(f"decode(encode(x)) differs for {vector['text']!r}")
    rows = ",\n".join("  " + json.dumps(vector, ensure_ascii=False) for vector in vectors)
    (MODEL / "tokenizer-vectors.json").write_text(f"[\n{rows}\n]\n", "utf-8")
    (MODEL / "held-out.txt").write_text(held_out, "utf-8")
    for name, text in (("training", "".join(books)), ("held out", held_out)):
        count = len(tokenizer.encode(text))
        print(f"{name}: {count} tokens, {len(text.encode()) / count:.3f} bytes per token")


if __name__ == "__main__":
    main()
