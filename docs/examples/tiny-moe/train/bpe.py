"""Byte-level BPE: training, encoding, and the Hugging Face `tokenizer.json` form of it.

Text is split by SPLIT into pieces, each piece becomes its UTF-8 bytes, each byte one printable
character (GPT-2's table), and merges join neighbours inside a piece, lowest rank first.
"""

import json
from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import Path

import regex

END_OF_TEXT = "<|endoftext|>"  # id 0; stands between two books in training, nowhere else

# GPT-2's split, which `ByteLevel` with `use_regex` means in tokenizer.json. In JavaScript the same
# pattern works with the `u` flag.
SPLIT = regex.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)


def byte_characters() -> list[str]:
    """One printable character per byte: itself where it is printable, else from U+0100 up."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    characters, following = [], 0x100
    for byte in range(256):
        if byte in printable:
            characters.append(chr(byte))
        else:
            characters.append(chr(following))
            following += 1
    return characters


BYTE_TO_CHARACTER = byte_characters()
CHARACTER_TO_BYTE = {character: byte for byte, character in enumerate(BYTE_TO_CHARACTER)}


def pieces(text: str) -> list[str]:
    return ["".join(BYTE_TO_CHARACTER[b] for b in p.encode()) for p in SPLIT.findall(text)]


def join_pair(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    joined, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
            joined.append(parts[i] + parts[i + 1])
            i += 2
        else:
            joined.append(parts[i])
            i += 1
    return tuple(joined)


def train_merges(texts: list[str], count: int) -> list[tuple[str, str]]:
    """The `count` most frequent pairs in turn; equal counts go to the smaller pair."""
    frequency: Counter[str] = Counter()
    for text in texts:
        frequency.update(pieces(text))
    words = [(tuple(piece), n) for piece, n in sorted(frequency.items())]
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for index, (parts, n) in enumerate(words):
        for pair in zip(parts, parts[1:]):
            pairs[pair] += n
            where[pair].add(index)
    merges = []
    for _ in range(count):
        best = min(pairs.items(), key=lambda item: (-item[1], item[0]))[0]
        merges.append(best)
        for index in where.pop(best):
            parts, n = words[index]
            for pair in zip(parts, parts[1:]):
                pairs[pair] -= n
            parts = join_pair(parts, best)
            words[index] = (parts, n)
            for pair in zip(parts, parts[1:]):
                pairs[pair] += n
                where[pair].add(index)
        del pairs[best]
    return merges


class Tokenizer:
    def __init__(self, merges: list[tuple[str, str]]) -> None:
        self.merges = merges
        self.rank = {pair: rank for rank, pair in enumerate(merges)}
        tokens = [END_OF_TEXT, *BYTE_TO_CHARACTER, *(a + b for a, b in merges)]
        self.vocab = {token: number for number, token in enumerate(tokens)}
        if len(self.vocab) != len(tokens):
            raise ValueError("two merges make the same token")
        self.tokens = tokens
        self.encode_piece = lru_cache(maxsize=1 << 17)(self._encode_piece)

    def _encode_piece(self, piece: str) -> tuple[int, ...]:
        parts = tuple(piece)
        while len(parts) > 1:
            known = [pair for pair in zip(parts, parts[1:]) if pair in self.rank]
            if not known:
                break
            parts = join_pair(parts, min(known, key=self.rank.__getitem__))
        return tuple(self.vocab[part] for part in parts)

    def encode(self, text: str) -> list[int]:
        """Ids of a plain text; the special token is never made from text."""
        return [number for piece in pieces(text) for number in self.encode_piece(piece)]

    def decode(self, ids: list[int]) -> str:
        characters = "".join(self.tokens[number] for number in ids if number != 0)
        return bytes(CHARACTER_TO_BYTE[c] for c in characters).decode(errors="replace")

    def save(self, path: Path) -> None:
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
        special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        content = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [{"id": 0, "content": END_OF_TEXT, **special, "special": True}],
            "normalizer": None,
            "pre_tokenizer": {**level, "use_regex": True},
            "post_processor": None,
            "decoder": {**level, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "vocab": self.vocab,
                "merges": [f"{a} {b}" for a, b in self.merges],
            },
        }
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @staticmethod
    def load(path: Path) -> "Tokenizer":
        model = json.loads(path.read_text("utf-8"))["model"]
        first, *rest = (tuple(merge.split(" ")) for merge in model["merges"])
        tokenizer = Tokenizer([first, *rest])
        if tokenizer.vocab != model["vocab"]:
            raise ValueError(f"{path}: the vocabulary is not what its merges make")
        return tokenizer
