"""Times the grouped GEMM kernels of a manifest on the shapes of the targets, without Node.

    python3 kernels/cuda/test/gpu_time_grouped.py --cubins FOLDER --manifest FILE [--only REGEX]
        [--shapes REGEX] [--streaming whole,tail] [--ready 0,1] [--bands 0,4] [--rounds 2]

A time is the median of the replays of a graph of launches that rotate among enough copies of the
operands to exceed three times the L2, so that weights are cold as in a model; the configs of a shape
take turns. Groups have 0.7 to 1.3 times the expected size, those of `tools/bench`. A band is a number
of tiles of tokens; 0 is what a plan takes. One line of JSON per shape, config and way of dealing.
"""
import argparse
import itertools
import json
import pathlib
import random
import re
import statistics
import sys
import time

import torch

import gpu_check as dense
from gpu_check_grouped import cubin_name
from grouped import Kernel, Prepared, Rows, SlicesOfK, arguments

ROTATED_BYTES = 160e6
GOLDEN_RATIO = (5**0.5 - 1) / 2
MASKED_ROWS = 4096
BAND_ROWS = 2048
EXPERTS, MANY_EXPERTS = ((4096, 7168), (7168, 2048)), ((2048, 7168), (7168, 2048))

# layout, groups, expected size, N, K; k-grouped: groups, expected K, M, N
SHAPES = [
    *[('contiguous', g, m, *nk) for g, m in ((4, 8192), (8, 4096), (32, 256)) for nk in EXPERTS],
    *[('contiguous', 256, 128, *nk) for nk in MANY_EXPERTS],
    *[('packed', 32, 256, *nk) for nk in EXPERTS], *[('packed', 256, 128, *nk) for nk in MANY_EXPERTS],
    *[('masked', g, m, *nk) for g, m in ((1, 1024), (2, 512), (4, 256), (32, 20), (32, 192), (6, 1024))
      for nk in EXPERTS],
    *[('k-grouped', g, k, *mn) for mn in EXPERTS for g, k in ((4, 8192), (8, 4096))],
]


def sizes_of(layout, groups, expected):
    shares = [0.7 + 0.6 * ((i + 1) * GOLDEN_RATIO % 1) for i in range(groups)]
    if layout == 'k-grouped':
        return [128 * max(1, round(share * expected / 128)) for share in shares]
    return [max(1, round(share * expected)) for share in shares]


def problem_of(sizes, layout, x, y):
    if layout == 'k-grouped':
        return SlicesOfK(sizes, x, y)
    return Rows(layout, sizes, x, y, max_rows=MASKED_ROWS)


def rotated_bytes(problem):
    if problem.layout == 'k-grouped':
        return problem.a.numel() + problem.b.numel() + 4 * problem.out_shape()[0] * problem.n
    return problem.b.numel() + sum(problem.sizes) * (problem.k + 2 * problem.n)


def timed(work):
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return 1e3 * start.elapsed_time(end)


class Contestant:
    """A graph of launches of one kernel."""

    def __init__(self, kernel, problems, outs, workspace, streaming, band, ready):
        self.launches = []
        for problem, out in zip(problems, outs):
            packed, grid = arguments(kernel, problem, out, workspace, streaming, band, ready)
            self.launches.append(Prepared(kernel, packed, grid, programmatic=True))
        self.launches[0].enqueue()
        torch.cuda.synchronize()
        once = timed(self.launches[-1].enqueue)
        self.count = max(len(problems), min(20, int(10e3 / max(once, 1)) + 2))
        self.graph, self.times = torch.cuda.CUDAGraph(), []
        with torch.cuda.graph(self.graph):
            for i in range(self.count):
                self.launches[i % len(problems)].enqueue()

    def measure(self):
        self.graph.replay()
        self.times += [timed(self.graph.replay) / self.count for _ in range(2)]


def measure_shape(shape, kernels, options, workspace):
    layout, *_, x, y = shape
    sizes = sizes_of(*shape[:3])
    first = problem_of(sizes, layout, x, y)
    copies = max(1, -(-int(ROTATED_BYTES) // rotated_bytes(first)))
    problems = [first, *[problem_of(sizes, layout, x, y) for _ in range(copies - 1)]]
    out_dtype = kernels[0].out
    outs = [torch.zeros(first.out_shape(), device='cuda', dtype=out_dtype) for _ in problems]
    contestants = {}
    for kernel, streaming, band, ready in itertools.product(
            kernels, options.streaming, options.bands, options.ready):
        if layout == 'k-grouped' and streaming != 'whole':
            continue
        usual = 1 if kernel.swapped else max(1, BAND_ROWS // kernel.height)
        key = (kernel.name.removeprefix('fp8_gemm '), streaming, band, ready)
        contestants[key] = Contestant(
            kernel, problems, outs, workspace, streaming, band or usual, ready)
    for _ in range(options.rounds):  # in any order: what ran before decides how warm the GPU is
        for contestant in random.sample(list(contestants.values()), len(contestants)):
            contestant.measure()
    for (name, streaming, band, ready), contestant in contestants.items():
        us = statistics.median(contestant.times)
        print(json.dumps({
            'shape': ' '.join(map(str, shape)), 'config': name, 'streaming': streaming, 'band': band,
            'ready': ready, 'us': round(us, 2), 'tflops': round(first.flops() / us / 1e6)}), flush=True)


def numbers(text):
    return [int(word) for word in text.split(',')]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cubins', required=True)
    parser.add_argument('--manifest', required=True)
    parser.add_argument('--only', default='')
    parser.add_argument('--shapes', default='')
    parser.add_argument('--streaming', default='whole')
    parser.add_argument('--bands', default='0')
    parser.add_argument('--ready', default='0')
    parser.add_argument('--rounds', type=int, default=2)
    options = parser.parse_args()
    options.streaming = options.streaming.split(',')
    options.bands, options.ready = numbers(options.bands), numbers(options.ready)
    torch.manual_seed(1)
    random.seed(1)
    torch.zeros(1, device='cuda')
    kernels = []
    for entry in json.loads(pathlib.Path(options.manifest).read_text()):
        if 'kLayout' in entry['config']['members'] and re.search(options.only, entry['name']):
            kernels.append(Kernel(entry, pathlib.Path(options.cubins, cubin_name(entry)).read_bytes()))
    workspace = (torch.zeros(2**26, device='cuda', dtype=torch.uint8),
                 torch.zeros(4096, device='cuda', dtype=torch.int32))
    for shape in SHAPES:
        mine = [kernel for kernel in kernels if kernel.layout == shape[0]]
        if not mine or not re.search(options.shapes, ' '.join(map(str, shape))):
            continue
        begin = time.monotonic()
        measure_shape(shape, mine, options, workspace)
        torch.cuda.empty_cache()
        print(f'{" ".join(map(str, shape))}: {time.monotonic() - begin:.1f} s', file=sys.stderr, flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
