"""Times the grouped GEMM kernels of a manifest on the shapes of the targets, without Node.

    python3 kernels/cuda/test/gpu_time_grouped.py --cubins FOLDER --manifest FILE [--only REGEX]
        [--shapes REGEX] [--streaming whole,tail]

A time is the median of the replays of a graph of launches that rotate among enough copies of the
operands to exceed twice the L2, so that weights are cold as in a model. Sizes of groups are drawn
between 0.7 and 1.3 times the expected one. One line of JSON per shape, config and streaming.
"""
import argparse
import json
import pathlib
import random
import re
import statistics
import sys

import torch

import gpu_check as dense
from gpu_check_grouped import cubin_name
from grouped import Kernel, Prepared, Rows, SlicesOfK, arguments

L2_BYTES = 100e6  # twice what an H100 has

# layout, groups, expected size, N, K; k-grouped: groups, expected K, M, N
SHAPES = [
    *[('contiguous', g, m, n, k) for g, m in ((4, 8192), (8, 4096), (32, 256))
      for n, k in ((4096, 7168), (7168, 2048))],
    ('contiguous', 256, 128, 2048, 7168), ('contiguous', 256, 128, 7168, 2048),
    *[('packed', g, m, n, k) for g, m in ((4, 8192), (32, 256)) for n, k in ((4096, 7168), (7168, 2048))],
    ('packed', 256, 128, 2048, 7168), ('packed', 256, 128, 7168, 2048),
    *[('masked', g, m, n, k) for g, m in ((1, 1024), (2, 512), (4, 256), (32, 20))
      for n, k in ((4096, 7168), (7168, 2048))],
    ('masked', 32, 192, 6144, 7168), ('masked', 6, 1024, 7168, 3072),
    *[('k-grouped', g, k, m, n) for g, k in ((4, 8192), (8, 4096)) for m, n in ((4096, 7168), (7168, 2048))],
]


def sizes_of(layout, groups, expected):
    sizes = [int(expected * random.uniform(0.7, 1.3)) for _ in range(groups)]
    return [-(-size // 128) * 128 for size in sizes] if layout == 'k-grouped' else sizes


def problem_of(sizes, layout, groups, expected, x, y):
    if layout == 'k-grouped':
        return SlicesOfK(sizes, x, y)
    return Rows(layout, sizes, x, y, max_rows=4096 if groups <= 8 else 1024)


def operand_bytes(problem):
    return sum(problem.sizes) * problem.k + problem.b.numel() if problem.layout != 'k-grouped' else \
        problem.a.numel() + problem.b.numel()


def microseconds(kernel, problems, workspace, streaming, band):
    """Median over the replays, per launch."""
    launches, outs = [], []
    for problem in problems:
        outs.append(torch.zeros(problem.out_shape(), device='cuda', dtype=kernel.out))
        packed, grid = arguments(kernel, problem, outs[-1], workspace, streaming, band)
        launches.append(Prepared(kernel, packed, grid, programmatic=True))
    launches[0].enqueue()
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    launches[-1].enqueue()
    end.record()
    torch.cuda.synchronize()
    count = max(len(launches), min(20, int(20e3 / max(1e3 * start.elapsed_time(end), 1)) + 2))
    graph, times = torch.cuda.CUDAGraph(), []
    with torch.cuda.graph(graph):
        for i in range(count):
            launches[i % len(launches)].enqueue()
    for _ in range(5):
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(1e3 * start.elapsed_time(end) / count)
    return statistics.median(times[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cubins', required=True)
    parser.add_argument('--manifest', required=True)
    parser.add_argument('--only', default='')
    parser.add_argument('--shapes', default='')
    parser.add_argument('--streaming', default='whole')
    parser.add_argument('--band', type=int, default=0)
    options = parser.parse_args()
    random.seed(1)
    torch.manual_seed(1)
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
        sizes = sizes_of(*shape[:3])
        first = problem_of(sizes, *shape)
        copies = max(1, -(-int(L2_BYTES) // operand_bytes(first)))
        problems = [first, *[problem_of(sizes, *shape) for _ in range(copies - 1)]]
        for kernel in mine:
            for streaming in options.streaming.split(','):
                fixed = shape[0] == 'k-grouped' or (shape[0] == 'contiguous' and kernel.height > 128)
                if fixed and streaming != 'whole':
                    continue
                rows = min(2048, shape[2]) if shape[0] == 'contiguous' else 2048
                band = options.band or (1 if kernel.swapped else max(1, rows // kernel.height))
                time = microseconds(kernel, problems, workspace, streaming, band)
                print(json.dumps({
                    'shape': ' '.join(map(str, shape)), 'config': kernel.name.removeprefix('fp8_gemm '),
                    'streaming': streaming, 'us': round(time, 2),
                    'tflops': round(first.flops() / time / 1e6), 'copies': copies}), flush=True)
        del problems, first
        torch.cuda.empty_cache()
    return 0


if __name__ == '__main__':
    sys.exit(main())
