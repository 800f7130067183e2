"""Trains the model. It stops after --minutes; stopped earlier, the best checkpoint so far stays.

Writes runs/best.pt (weights with the lowest validation loss) and runs/log.jsonl.
"""

import argparse
import ctypes
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

# Read by PyTorch and OpenBLAS when loaded; torch.set_num_threads does not reach OpenBLAS.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor

import data
from bpe import Tokenizer
from model import Config, TinyMoe
from optimizer import optimizers

WINDOW = 256
WARMUP = 0.02  # fraction of the budget
BIAS_RATE = 0.003  # step of e_score_correction_bias at full learning rate
CLIP = 1.0


def keep_freed_memory() -> None:
    """Stops glibc from returning large blocks to the kernel after every operation: fetching them
    back, zeroed, page by page, was half of the time of a step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            trim_threshold, top_pad, mmap_max = -1, -2, -4
            libc.mallopt(mmap_max, 0)
            libc.mallopt(trim_threshold, 2**31 - 1)
            libc.mallopt(top_pad, 1 << 28)


def training_tokens(tokenizer: Tokenizer, books: list[str]) -> Tensor:
    ids: list[int] = []
    for book in books:
        ids += [*tokenizer.encode(book), 0]
    return torch.tensor(ids)


def batches(tokens: Tensor, size: int, seed: int) -> Iterator[Tensor]:
    """[size, WINDOW + 1] for ever; every epoch cuts the text at another offset and shuffles it."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        offset = int(torch.randint(WINDOW, (1,), generator=generator))
        windows = tokens[offset:].unfold(0, WINDOW + 1, WINDOW)
        order = torch.randperm(len(windows), generator=generator)
        for chosen in order.split(size):
            if len(chosen) == size:
                yield windows[chosen]


def loss_of(model: TinyMoe, windows: Tensor) -> Tensor:
    with torch.autocast(windows.device.type, dtype=torch.bfloat16):  # of the products; weights: f32
        logits = model(windows[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())


@torch.no_grad()
def evaluate(model: TinyMoe, tokens: Tensor, size: int) -> float:
    """Mean loss per token over whole windows."""
    model.eval()
    windows = tokens.unfold(0, WINDOW + 1, WINDOW)
    total = sum(float(loss_of(model, part)) * len(part) for part in windows.split(size))
    model.train()
    return total / len(windows)


def balance(model: TinyMoe, rate: float) -> float:
    """Moves each expert's bias against its load; returns the largest load / mean load."""
    worst = 0.0
    for mixture in model.mixtures():
        mean = mixture.load.mean()
        mixture.gate.e_score_correction_bias += rate * (mean - mixture.load).sign()
        worst = max(worst, float(mixture.load.max() / mean))
    return worst


def schedule(progress: float) -> float:
    """Learning rate factor: linear warm-up, then half a cosine to zero."""
    if progress < WARMUP:
        return progress / WARMUP
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - WARMUP) / (1 - WARMUP)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=54, help="wall-clock budget")
    parser.add_argument("--batch", type=int, default=16, help="windows of 256 tokens per step")
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--decay", type=float, default=0.1, help="weight decay of the matrices")
    parser.add_argument("--every", type=int, default=50, help="steps between evaluations")
    parser.add_argument("--seed", type=int, default=1851)
    parser.add_argument("--out", type=Path, default=data.EXAMPLE / "runs")
    return parser.parse_args()


class Recorder:
    """The log, and the best checkpoint so far."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.best = math.inf
        self.losses: list[float] = []  # since the last row
        self.loads: list[float] = []
        args.out.mkdir(parents=True, exist_ok=True)
        self.log = (args.out / "log.jsonl").open("w")

    def add(self, loss: float, load: float) -> None:
        self.losses.append(loss)
        self.loads.append(load)

    def report(self, model: TinyMoe, position: dict[str, float], score: float) -> None:
        row = {
            **position,
            "train_loss": round(sum(self.losses) / max(1, len(self.losses)), 4),
            "validation_loss": round(score, 4),
            "max_load_over_mean": round(sum(self.loads) / max(1, len(self.loads)), 3),
        }
        self.losses, self.loads = [], []
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()
        print(row, flush=True)
        if score < self.best:
            self.best = score
            state = {"model": model.state_dict(), "config": asdict(model.config)}
            arguments = {name: str(value) for name, value in vars(self.args).items()}
            state |= {"step": position["step"], "arguments": arguments}
            torch.save(state, self.args.out / "best.tmp")
            (self.args.out / "best.tmp").replace(self.args.out / "best.pt")


def train_step(
    model: TinyMoe, optimisers: list[torch.optim.Optimizer], windows: Tensor, lr: float
) -> float:
    """One update of the weights; returns the loss before it."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr * group["scale"]
        optimiser.zero_grad()
    loss = loss_of(model, windows)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for optimiser in optimisers:
        optimiser.step()
    return float(loss.detach())


def train(model: TinyMoe, tokens: Tensor, validation: Tensor, args: argparse.Namespace) -> None:
    optimisers = optimizers(model, args.decay)
    recorder = Recorder(args)
    started = time.time()
    for step, windows in enumerate(batches(tokens, args.batch, args.seed)):
        elapsed = time.time() - started
        factor = schedule(elapsed / (args.minutes * 60))
        finished = elapsed >= args.minutes * 60
        if finished or (step % args.every == 0 and step > 0):
            position = {
                "step": step,
                "epochs": round(step * args.batch * WINDOW / len(tokens), 3),
                "seconds": round(elapsed, 1),
                "lr_factor": round(factor, 4),
            }
            recorder.report(model, position, evaluate(model, validation, args.batch))
        if finished:
            return
        loss = train_step(model, optimisers, windows, args.lr * factor)
        recorder.add(loss, balance(model, BIAS_RATE * factor))


def main() -> None:
    args = arguments()
    keep_freed_memory()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.load(data.EXAMPLE / "model" / "tokenizer.json")
    books, validation_text, _ = data.load()
    tokens = training_tokens(tokenizer, books).to(device)
    validation = torch.tensor(tokenizer.encode(validation_text)).to(device)
    model = TinyMoe(Config()).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{device}: {parameters} parameters, {len(tokens)} training tokens", flush=True)
    train(model, tokens, validation, args)


if __name__ == "__main__":
    main()
