"""Checks the GEMM kernels of kernels.json on a GPU against float64, without Node.

Needs a Hopper GPU, its driver, nvcc and PyTorch. From the repository's root:

    python3 kernels/cuda/test/gpu_check.py [--shapes 10] [--seed 1] [--only NAME] [--small]

Every kernel is compiled with nvcc, then run on random legal shapes, streamings and bands, on an
output full of NaN with guard rows behind it, twice. `--small` is for runs under compute-sanitizer.
"""
import argparse
import concurrent.futures
import ctypes
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import torch

SOURCES = pathlib.Path(__file__).resolve().parent.parent
cuda = ctypes.CDLL('libcuda.so.1')
U8, F32, BF16 = 0, 7, 9  # CUtensorMapDataType


def ceil_div(a, b):
    return -(-a // b)


def must(code, what):
    if code == 0:
        return
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(code, ctypes.byref(text))
    raise RuntimeError(f'{what}: {text.value} ({code})')


def literal(value):
    kind = 'bool' if isinstance(value, bool) else 'int' if isinstance(value, int) else 'auto'
    return kind, str(value).lower() if isinstance(value, bool) else str(value)


def compile_kernel(entry):
    with tempfile.TemporaryDirectory() as folder:
        lines = [f'static constexpr {literal(v)[0]} {k} = {literal(v)[1]};'
                 for k, v in entry['config']['members'].items()]
        body = f"namespace deepgemm {{ struct {entry['config']['name']} {{ {' '.join(lines)} }}; }}"
        pathlib.Path(folder, 'config.cuh').write_text(f'#pragma once\n{body}\n')
        cubin = pathlib.Path(folder, 'kernel.cubin')
        subprocess.run(['nvcc', '-cubin', '-std=c++20', '-arch=sm_90a', '-I', str(SOURCES), '-I', folder,
                        '-o', str(cubin), str(SOURCES / entry['source'])], check=True)
        return cubin.read_bytes()


class Kernel:
    def __init__(self, entry, cubin):
        members = entry['config']['members']
        self.name, self.members = entry['name'], members
        self.left, self.right = members['kBlockLeft'], members['kBlockRight']
        self.swapped = members['kSwapped']
        self.shares = members['kMulticast'].removeprefix('Multicast::k').lower()
        self.cluster = 1 if self.shares == 'none' else 2
        self.out = torch.bfloat16 if members['kOut'] == 'Output::kBf16' else torch.float32
        self.accumulates = members['kAccumulate']
        self.gradient = not self.swapped and members['kRightScaling'] == 'Scaling::kVectors'
        self.staged = self.out == torch.bfloat16 and not self.accumulates
        self.threads = (self.left // (64 * members['kRowBlocks']) + 1) * 128
        module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        must(cuda.cuModuleLoadData(ctypes.byref(module), cubin), self.name)
        must(cuda.cuModuleGetFunction(ctypes.byref(self.function), module, b'fp8_gemm'), self.name)
        must(cuda.cuFuncSetAttribute(self.function, 8, members['kSharedBytes']), self.name)


class Problem:
    def __init__(self, m, n, k, gradient):
        self.m, self.n, self.k, self.k_blocks = m, n, k, ceil_div(k, 128)
        self.a = torch.randn(m, k, device='cuda').to(torch.float8_e4m3fn)
        self.b = torch.randn(n, k, device='cuda').to(torch.float8_e4m3fn)
        grid = (self.k_blocks, ceil_div(n, 4) * 4) if gradient else (ceil_div(n, 128), self.k_blocks)
        self.scales_a = torch.rand(self.k_blocks, ceil_div(m, 4) * 4, device='cuda') + 0.5
        self.scales_b = torch.rand(*grid, device='cuda') + 0.5
        self.gradient = gradient

    def reference(self):
        """The product, and the norms of the rows that made each of its elements."""
        block = torch.arange(self.k, device='cuda') // 128
        a = self.a.double() * self.scales_a[:, :self.m].double().t()[:, block]
        if self.gradient:
            b = self.b.double() * self.scales_b[:, :self.n].double().t()[:, block]
        else:
            rows = torch.arange(self.n, device='cuda') // 128
            b = self.b.double() * self.scales_b.double()[rows][:, block]
        return a @ b.t(), a.norm(dim=1, keepdim=True) * b.norm(dim=1)[None]


def tensor_map(tensor, dtype, extents, row_bytes, box, swizzle):
    buffer = ctypes.create_string_buffer(192)
    place = ctypes.addressof(buffer) + 63 & ~63
    pair64, pair32 = ctypes.c_uint64 * 2, ctypes.c_uint32 * 2
    span = {0: 0, 32: 1, 64: 2, 128: 3}[swizzle]
    must(cuda.cuTensorMapEncodeTiled(
        ctypes.c_void_p(place), dtype, 2, ctypes.c_void_p(tensor.data_ptr()), pair64(*extents),
        (ctypes.c_uint64 * 1)(row_bytes), pair32(*box), pair32(1, 1), 0, span, 2, 0), 'tensor map')
    return ctypes.string_at(place, 128)


def divisor(value):
    """The multiplier and the shift of kernels/cuda/base/divisor.cuh."""
    shift = 31 + (value - 1).bit_length()
    return -(-2**shift // value), shift


def arguments(kernel, problem, out, workspace, streaming, band):
    """The bytes of GemmArguments, and the blocks of the grid."""
    m, n, k = problem.m, problem.n, problem.k
    left, right = (n, m) if kernel.swapped else (m, n)
    share = lambda side: 2 if kernel.shares == side else 1
    values = lambda t, rows, box: tensor_map(t, U8, (k, rows), k, (128, box), 128)
    scales = lambda t, box: tensor_map(t, F32, (t.shape[1], t.shape[0]), t.shape[1] * 4, (box, 1), 0)
    a, b = problem.a, problem.b
    none = bytes(128)
    maps = [values(b if kernel.swapped else a, left, kernel.left // share('left')),
            values(a if kernel.swapped else b, right, kernel.right // share('right'))]
    if kernel.swapped:
        maps += [none, scales(problem.scales_a, kernel.right)]
    else:
        maps += [scales(problem.scales_a, kernel.left),
                 scales(problem.scales_b, kernel.right) if kernel.gradient else none]
    columns = 64 if kernel.swapped else math.gcd(kernel.right, 64)
    maps.append(tensor_map(out, BF16, (n, m), n * 2, (columns, kernel.right if kernel.swapped else 64),
                           columns * 2) if kernel.staged else none)
    left_tiles = ceil_div(left, kernel.left * share('right'))
    right_tiles = ceil_div(right, kernel.right * share('left'))
    tiles = left_tiles * right_tiles
    sms = torch.cuda.get_device_properties(0).multi_processor_count
    workers = sms // kernel.cluster
    tail = tiles % workers + workers if tiles % workers else 0
    streamed = {'whole': 0, 'tail': min(tiles, tail), 'all': tiles}[streaming]
    workers = min(workers, tiles * problem.k_blocks if streamed else tiles)
    partials, flags = workspace
    units = streamed * problem.k_blocks
    divisors = (divisor(band * right_tiles), divisor(band), divisor(left_tiles % band or band),
                divisor(problem.k_blocks))
    numbers = struct.pack(
        '<QQQQqIIIIIIIIII16x10I', problem.scales_b.data_ptr(), out.data_ptr(), partials.data_ptr(),
        flags.data_ptr(), n, problem.scales_b.shape[1], left, right, k, left_tiles, right_tiles, band,
        workers, streamed, random.randint(0, 1), *sum(divisors, ()), units // workers, units % workers)
    return (b''.join(maps) + numbers).ljust(832, b'\0'), workers * kernel.cluster


class Attribute(ctypes.Structure):
    _fields_ = [('id', ctypes.c_uint), ('pad', ctypes.c_uint), ('value', ctypes.c_uint * 16)]


class Launch(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint) for name in ('gx', 'gy', 'gz', 'bx', 'by', 'bz', 'shared')] + [
        ('stream', ctypes.c_void_p), ('attributes', ctypes.POINTER(Attribute)), ('count', ctypes.c_uint)]


def launch(kernel, packed, grid):
    buffer = ctypes.create_string_buffer(832 + 64)
    place = ctypes.addressof(buffer) + 63 & ~63
    ctypes.memmove(place, packed, 832)
    attributes = (Attribute * 1)()
    attributes[0].id = 4  # cluster dimension
    attributes[0].value[0:3] = [kernel.cluster, 1, 1]
    stream = torch.cuda.current_stream().cuda_stream
    config = Launch(grid, 1, 1, kernel.threads, 1, 1, kernel.members['kSharedBytes'], stream, attributes, 1)
    must(cuda.cuLaunchKernelEx(ctypes.byref(config), kernel.function, (ctypes.c_void_p * 1)(place), None),
         kernel.name)
    torch.cuda.synchronize()


def faults(kernel, shape, streaming, band, workspace):
    """What is wrong with the kernel's answer; an empty list when nothing is."""
    m, n, k = shape
    problem = Problem(m, n, k, kernel.gradient)
    guarded = torch.full((m + 8, n), math.nan, device='cuda', dtype=kernel.out)
    out, guard = guarded[:m], guarded[m:]
    before = torch.randn(m, n, device='cuda').to(kernel.out) if kernel.accumulates else None
    packed, grid = arguments(kernel, problem, out, workspace, streaming, band)
    results = []
    for _ in range(2):
        out.copy_(before) if kernel.accumulates else out.fill_(math.nan)
        launch(kernel, packed, grid)
        results.append(out.clone())
    expected, norms = problem.reference()
    if before is not None:
        expected += before.double()
    got = results[0].double()
    metric = 1 - 2 * float((got * expected).sum() / (got.square().sum() + expected.square().sum()))
    worst = float(((got - expected).abs() / (norms + (0 if before is None else 1))).max())
    bf16 = kernel.out == torch.bfloat16
    checks = {
        'elements are not finite': bool(torch.isfinite(got).all()),
        'rows behind the output were written': bool(torch.isnan(guard).all()),
        f'metric {metric:.2e}': metric < (1e-5 if bf16 else 1e-6),
        f'worst element {worst:.2e}': worst < (5e-3 if bf16 else 1e-3),
        'two runs differ': bool((results[0] == results[1]).all()),
        'flags are left set': not bool(workspace[1].any()),
    }
    return [text for text, fine in checks.items() if not fine]


def random_shape(kernel, small):
    m = random.choice([1, 2, 7, random.randint(1, 130), random.randint(1, 600)]
                      if kernel.swapped else [1, random.randint(1, 300), random.randint(1, 5000)])
    n, k = 8 * random.randint(2, 1125), 16 * random.randint(1, random.choice([64, 1062]))
    return (min(m, 200), min(n, 600), min(k, 992)) if small else (m, n, k)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--shapes', type=int, default=10)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', default='')
    parser.add_argument('--small', action='store_true')
    options = parser.parse_args()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    entries = [e for e in json.loads((SOURCES / 'kernels.json').read_text())
               if e['source'] == 'entry/fp8_gemm.cu' and options.only in e['name']]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        cubins = list(pool.map(compile_kernel, entries))
    torch.zeros(1, device='cuda')  # makes the context that the driver calls below use
    workspace = (torch.zeros(2**26, device='cuda', dtype=torch.uint8),
                 torch.zeros(4096, device='cuda', dtype=torch.int32))
    passed = failed = 0
    for kernel in (Kernel(entry, cubin) for entry, cubin in zip(entries, cubins)):
        for _ in range(options.shapes):
            shape = random_shape(kernel, options.small)
            streaming, band = random.choice(['whole', 'tail', 'all']), random.choice([1, 3, 8])
            wrong = faults(kernel, shape, streaming, band, workspace)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f'FAIL {kernel.name} {shape} {streaming} band {band}: {"; ".join(wrong)}')
    print(f'{passed} passed, {failed} failed')
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
