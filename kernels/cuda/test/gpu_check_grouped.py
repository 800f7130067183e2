"""Checks the grouped GEMM kernels of kernels.json on a GPU against float64, without Node.

Needs a Hopper GPU, its driver, nvcc and PyTorch. From the repository's root:

    python3 kernels/cuda/test/gpu_check_grouped.py [--cases 3] [--seed 1] [--only NAME] [--small]

Every kernel runs on groups of many kinds, twice, on an output full of NaN with guard rows around
it; then in a graph whose group data changes between replays, and on group data that is nonsense,
where it may write what it likes inside of D and nothing else. `--cubins FOLDER` takes compiled
kernels from there, `--manifest FILE` lists other kernels, `--small` is for compute-sanitizer.
"""
import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import random
import sys

import torch

import gpu_check as dense
from grouped import Kernel, Prepared, Rows, SlicesOfK, arguments, e4m3

GUARD = 64  # rows before and after D


def cubin_name(entry):
    return entry['name'].removeprefix('fp8_gemm ').replace('/', '_') + '.cubin'


def random_sizes(kind, small):
    most = 70 if small else 400
    groups = random.randint(1, 4 if small else 12)
    if kind == 'mixed':
        return [random.choice([0, 1, random.randint(0, most)]) for _ in range(groups)]
    if kind == 'one group has all':
        at = random.randrange(groups)
        return [random.randint(1, 3 * most) if group == at else 0 for group in range(groups)]
    if kind == 'one row':
        at = random.randrange(groups)
        return [int(group == at) for group in range(groups)]
    if kind == 'many groups':
        groups = 40 if small else random.choice([256, 300])
        return [random.choice([0, random.randint(0, 20)]) for _ in range(groups)]
    if kind == 'large':
        return [random.randint(0, 900) for _ in range(random.randint(1, 5))]
    return [0] * groups  # empty


KINDS = ['mixed', 'one group has all', 'one row', 'many groups', 'large', 'empty']


def random_problem(kernel, kind, small):
    sizes = random_sizes(kind, small)
    wide = not small and len(sizes) < 20
    n, k = 8 * random.randint(2, 300 if wide else 30), 16 * random.randint(1, 150 if wide else 40)
    if kernel.layout == 'k-grouped':
        sizes = sizes[:32] if len(sizes) > 200 else sizes
        trail = -sum(sizes) % 16 + 16 * random.randint(0, 3)
        m = random.randint(1, 200 if small else 700)
        return SlicesOfK(sizes, m, n, max(trail, 16 - sum(sizes)))
    room = {'max_rows': max(max(sizes), 1) + random.randint(0, 40)}
    if kernel.layout == 'packed':
        room = {'lead': random.choice([0, 5]), 'trail': random.choice([1, 130])}
    if kernel.layout == 'contiguous':
        room = {'trail': random.choice([1, 128, 200])}
    return Rows(kernel.layout, sizes, n, k, **room)


class Output:
    """D between guard rows, with its start values."""

    def __init__(self, kernel, problem):
        rows, columns = problem.out_shape()
        whole = torch.full((rows + 2 * GUARD, columns), math.nan, device='cuda', dtype=kernel.out)
        self.out = whole[GUARD:GUARD + rows]
        self.guards = whole[:GUARD], whole[GUARD + rows:]
        self.before = None
        if kernel.accumulates:
            self.before = torch.randn(rows, columns, device='cuda').to(kernel.out)
        self.restart()

    def restart(self):
        self.out.fill_(math.nan) if self.before is None else self.out.copy_(self.before)

    def guards_are_whole(self):
        return all(bool(torch.isnan(guard).all()) for guard in self.guards)


def bits(tensor):
    return tensor.view(torch.int16 if tensor.dtype == torch.bfloat16 else torch.int32)


def wrong_values(kernel, problem, output):
    expected, norms = problem.reference(output.before)
    touched = ~torch.isnan(expected)
    got = output.out.double()
    start = torch.full_like(output.out, math.nan) if output.before is None else output.before
    untouched_stay = bool((bits(output.out) == bits(start))[~touched].all())
    error = (got - expected).abs()
    error[~touched] = 0
    worst = float((error / (norms + (1e-6 if output.before is None else 1))).max())
    both = (got.square() + expected.square())[touched].sum()
    metric = float(1 - 2 * (got * expected)[touched].sum() / both) if both > 0 else 0.0
    # Whole rows: a single product may cancel out, which tensor cores see with 14 bits.
    padding = (expected == 0).all(dim=1) & (output.before is None)
    bf16 = kernel.out == torch.bfloat16
    return {
        'rows of no group were written': untouched_stay,
        'elements are not finite': bool(torch.isfinite(got[touched]).all()),
        f'metric {metric:.2e}': metric < (1e-5 if bf16 else 1e-6),
        f'worst element {worst:.2e}': worst < (5e-3 if bf16 else 1e-3),
        'padding is not zero': bool((got[padding] == 0).all()),
        'guard rows were written': output.guards_are_whole(),
    }


def faults(kernel, problem, streaming, band, workspace):
    """What is wrong with the kernel's answer; an empty list when nothing is."""
    output = Output(kernel, problem)
    ready = random.randint(0, 1)
    packed, grid = arguments(kernel, problem, output.out, workspace, streaming, band, ready)
    launch = Prepared(kernel, packed, grid, programmatic=random.random() < 0.5)
    results = []
    for _ in range(2):
        output.restart()
        launch.enqueue()
        torch.cuda.synchronize()
        results.append(output.out.clone())
    checks = wrong_values(kernel, problem, output)
    checks['two runs differ'] = bool((bits(results[0]) == bits(results[1])).all())
    checks['flags are left set'] = not bool(workspace[1].any())
    return [text for text, fine in checks.items() if not fine]


def replay_faults(kernel, workspace):
    """A captured launch, replayed after the sizes changed; they exceed whatever was expected."""
    problem = Rows(kernel.layout, [3, 0, 60, 150], 264, 400, max_rows=200, trail=0)
    problem.a = e4m3(problem.rows, problem.k)  # without NaN: other rows are read later
    output = Output(kernel, problem)
    packed, grid = arguments(kernel, problem, output.out, workspace, 'whole', 1)
    launch = Prepared(kernel, packed, grid)
    launch.enqueue()
    torch.cuda.synchronize()
    graph, wrong = torch.cuda.CUDAGraph(), []
    with torch.cuda.graph(graph):
        launch.enqueue()
    for sizes in ([3, 0, 60, 150], [113, 100, 0, 0], [0, 0, 13, 200], [1, 1, 200, 0]):
        trail = problem.rows - sum(sizes) if kernel.layout == 'packed' else 0
        data, rows = problem.data, problem.rows
        problem.set_sizes(sizes, trail=trail)
        assert problem.rows == rows
        data.copy_(problem.data)
        problem.data = data
        output.restart()
        graph.replay()
        torch.cuda.synchronize()
        wrong += [f'{sizes}: {t}' for t, fine in wrong_values(kernel, problem, output).items() if not fine]
    return wrong


def nonsense_faults(kernel, workspace):
    """Group data of all kinds of wrong values: nothing outside of D is written, and it ends."""
    if kernel.layout == 'k-grouped':
        problem = SlicesOfK([130, 0, 300, 82], 140, 136)
    else:
        problem = Rows(kernel.layout, [100, 3, 0, 200], 136, 272, max_rows=210)
    output = Output(kernel, problem)
    for _ in range(4):
        values = [random.choice([-2**31, -1, 0, 1, 5, 200, 10**6, 2**31 - 1, random.randint(-9, 999)])
                  for _ in range(problem.data.numel())]
        problem.data.copy_(torch.tensor(values, dtype=torch.int32))
        packed, grid = arguments(kernel, problem, output.out, workspace, 'whole', 1)
        Prepared(kernel, packed, grid).enqueue()
        torch.cuda.synchronize()
    return [] if output.guards_are_whole() else ['nonsense made it write outside of D']


def check(kernel, options, workspace):
    """Counts of passed and failed cases."""
    counts = [0, 0]

    def note(what, wrong):
        counts[bool(wrong)] += 1
        if wrong:
            print(f'FAIL {kernel.name} {what}: {"; ".join(wrong)}', flush=True)

    for case in range(options.cases):
        kind = KINDS[case % len(KINDS)]
        problem = random_problem(kernel, kind, options.small)
        shared = kernel.layout != 'k-grouped'
        streaming = random.choice(['whole', 'tail', 'all']) if shared else 'whole'
        band = random.choice([1, 3, 8])
        shape = f'{kind} groups {problem.groups} N {problem.n} K {problem.k} {streaming} band {band}'
        note(shape, faults(kernel, problem, streaming, band, workspace))
    if kernel.layout == 'contiguous' and not options.small:
        problem = Rows('contiguous', [70000, 5, 0, 66000, 40], 136, 144, trail=200)
        note('more rows than a window', faults(kernel, problem, 'whole', 3, workspace))
    if kernel.layout in ('packed', 'masked'):
        note('in a graph', replay_faults(kernel, workspace))
    note('on nonsense', nonsense_faults(kernel, workspace))
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--cases', type=int, default=len(KINDS))
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', default='')
    parser.add_argument('--small', action='store_true')
    parser.add_argument('--cubins')
    parser.add_argument('--manifest', default=str(dense.SOURCES / 'kernels.json'))
    options = parser.parse_args()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    entries = [e for e in json.loads(pathlib.Path(options.manifest).read_text())
               if 'kLayout' in e.get('config', {}).get('members', {}) and options.only in e['name']]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        if options.cubins:
            cubins = [pathlib.Path(options.cubins, cubin_name(e)).read_bytes() for e in entries]
        else:
            cubins = list(pool.map(dense.compile_kernel, entries))
    torch.zeros(1, device='cuda')  # makes the context that the driver calls below use
    workspace = (torch.zeros(2**26, device='cuda', dtype=torch.uint8),
                 torch.zeros(4096, device='cuda', dtype=torch.int32))
    passed = failed = 0
    for kernel in (Kernel(entry, cubin) for entry, cubin in zip(entries, cubins)):
        good, bad = check(kernel, options, workspace)
        passed, failed = passed + good, failed + bad
        print(f'{kernel.name}: {good} passed, {bad} failed', flush=True)
    print(f'{passed} passed, {failed} failed')
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
