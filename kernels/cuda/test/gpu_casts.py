"""Checks and times the cast kernels of kernels.json on a GPU, without Node.

Needs what gpu_check.py needs. From the repository's root:

    python3 kernels/cuda/test/gpu_casts.py [--shapes 4096x7168,128x7168] [--only NAME] [--check]

Every kernel is compiled with nvcc, run on small awkward shapes and compared with PyTorch byte by byte,
then timed in a CUDA graph that rotates among copies of its tensors of more than 200 MB together, beside
device-to-device copies of as many bytes in the same graph form. Bytes count reads and writes. `--check`
leaves the timing out.
"""
import argparse
import concurrent.futures
import ctypes
import json
import os
import struct
import sys

import torch

from gpu_check import SOURCES, Attribute, Launch, ceil_div, compile_kernel, cuda, must

FORMATS = {'Source::kF32': torch.float32, 'Source::kF16': torch.float16, 'Source::kBf16': torch.bfloat16}
ENTRIES = ('quantize_rows', 'quantize_tile', 'dequantize', 'transpose_e4m3')
LEAST_AMAX = 448 * 2.0**-63


def grid_bytes(tensor, rows, columns, m_major):
    """A ScaleGrid of one matrix. `tensor` holds it row by row, or M-major: transposed and padded."""
    strides = (1, tensor.shape[1]) if m_major else (tensor.shape[1], 1)
    padded = tensor.shape[::-1] if m_major else tensor.shape
    return struct.pack('<QqqqIIIIII', tensor.data_ptr(), 0, *strides, 1, rows, columns, *padded, 0)


class Cast:
    """A cast to e4m3 with f32 scales; a grid of row scales is stored M-major, others row by row."""

    def __init__(self, members, rows, columns):
        self.shape = rows, columns
        self.blocks = members.get('kBlocks', 'Blocks::kRows')[9:]
        self.transposed = members.get('kTransposed', False)
        self.x = torch.randn(rows, columns, device='cuda')
        self.x *= 2.0 ** torch.randint(-9, 9, (rows, columns), device='cuda')
        self.x[rows // 2:, :columns // 3] = 0
        self.x = self.x.to(FORMATS[members['kSource']])
        out = (columns, rows) if self.transposed else (rows, columns)
        self.out = torch.zeros(out, device='cuda', dtype=torch.uint8)
        self.block = 1 if self.blocks == 'Rows' else 128, 1 if self.blocks == 'Columns' else 128
        grid = ceil_div(rows, self.block[0]), ceil_div(columns, self.block[1])
        self.m_major = self.blocks == 'Rows'
        stored = (grid[1], ceil_div(grid[0], 4) * 4) if self.m_major else grid
        self.scales = torch.full(stored, -1.0, device='cuda')
        tile = (8, 512) if self.m_major and not self.transposed else (128, 128)
        tiles = ceil_div(rows, tile[0]), ceil_div(columns, tile[1])
        self.blocks_of_threads = tiles[0] * tiles[1]
        self.arguments = (struct.pack('<QQ', self.x.data_ptr(), self.out.data_ptr()) +
                          grid_bytes(self.scales, *grid, self.m_major) +
                          struct.pack('<qqqqIIII', 0, columns, 0, out[1], rows, columns, *tiles))
        self.tensors = self.x, self.out, self.scales

    def wrong(self):
        (rows, columns), (high, wide) = self.shape, self.block
        tall, broad = ceil_div(rows, high) * high, ceil_div(columns, wide) * wide
        padded = torch.zeros(tall, broad, device='cuda')
        padded[:rows, :columns] = self.x.float()
        blocks = padded.view(tall // high, high, broad // wide, wide)
        amax = blocks.abs().amax((1, 3)).clamp(min=LEAST_AMAX)
        most = torch.full_like(amax, 448.0)  # a tensor: PyTorch multiplies by the inverse of a number
        codes = (blocks * (most / amax)[:, None, :, None]).view(tall, broad)[:rows, :columns]
        codes = codes.to(torch.float8_e4m3fn).view(torch.uint8)
        scales = self.scales.t()[:rows] if self.m_major else self.scales
        padding = self.scales[:, rows:] if self.m_major else self.scales[:0]
        return int((self.out != (codes.t() if self.transposed else codes)).sum() +
                   (scales != amax / most).sum() + (padding != 0).sum())


class Dequantization:
    """A cast back of values with 1x128 scales, stored M-major."""

    def __init__(self, members, rows, columns):
        self.values = torch.randint(0, 127, (rows, columns), device='cuda', dtype=torch.uint8)
        self.scales = torch.rand(ceil_div(columns, 128), ceil_div(rows, 4) * 4, device='cuda')
        self.out = torch.full((rows, columns), -1.0, device='cuda', dtype=FORMATS[members['kOut']])
        tiles = ceil_div(rows, 32), ceil_div(columns, 256)
        self.blocks_of_threads = tiles[0] * tiles[1]
        grid = grid_bytes(self.scales, rows, ceil_div(columns, 128), True)
        self.arguments = (struct.pack('<QQ', self.values.data_ptr(), self.out.data_ptr()) + grid +
                          struct.pack('<qqqqIIIIII', 0, columns, 0, columns, rows, columns, *tiles, 0, 7))
        self.tensors = self.values, self.out, self.scales

    def wrong(self):
        rows, columns = self.values.shape
        scales = self.scales.t()[:rows][:, torch.arange(columns, device='cuda') // 128]
        expected = self.values.view(torch.float8_e4m3fn).float() * scales
        return int((self.out != expected.to(self.out.dtype)).sum())


class Transposition:
    """e4m3 with 128x1 scales stored row by row, to 1x128 scales stored M-major."""

    def __init__(self, _, rows, columns):
        self.x = torch.randint(0, 256, (rows, columns), device='cuda', dtype=torch.uint8)
        self.out = torch.zeros(columns, rows, device='cuda', dtype=torch.uint8)
        k_blocks, padded = ceil_div(rows, 128), ceil_div(columns, 4) * 4
        self.scales = torch.rand(k_blocks, columns, device='cuda')
        self.turned = torch.full((k_blocks, padded), -1.0, device='cuda')
        tiles = ceil_div(rows, 128), ceil_div(columns, 128)
        inner, outer = ceil_div(padded, 64), ceil_div(k_blocks, 32)
        values = tiles[0] * tiles[1]
        self.blocks_of_threads = values + inner * outer
        self.arguments = (struct.pack('<QQqqqqIIIIII', self.x.data_ptr(), self.out.data_ptr(), 0, columns, 0,
                                      rows, rows, columns, *tiles, values, 0) +
                          grid_bytes(self.scales, columns, k_blocks, True) +
                          grid_bytes(self.turned, columns, k_blocks, True) +
                          struct.pack('<QIIII', 0, 1, inner, outer, 0))
        self.tensors = self.x, self.out, self.scales, self.turned

    def wrong(self):
        columns = self.scales.shape[1]
        return int((self.out != self.x.t()).sum() + (self.turned[:, :columns] != self.scales).sum() +
                   (self.turned[:, columns:] != 0).sum())


class Copy:
    """As many bytes from one place to another."""

    def __init__(self, total):
        self.x = torch.ones(total // 2, device='cuda', dtype=torch.uint8)
        self.tensors = self.x, torch.empty_like(self.x)


def total_bytes(task):
    return sum(tensor.nbytes for tensor in task.tensors)


class Kernel:
    def __init__(self, entry, cubin):
        module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        self.name = entry['name']
        self.entry = self.name.split()[0]
        self.members = entry['config']['members']
        must(cuda.cuModuleLoadData(ctypes.byref(module), cubin), self.name)
        must(cuda.cuModuleGetFunction(ctypes.byref(self.function), module, self.entry.encode()), self.name)

    def task(self, rows, columns):
        kinds = {'dequantize': Dequantization, 'transpose_e4m3': Transposition}
        return kinds.get(self.entry, Cast)(self.members, rows, columns)

    def launch(self, task):
        """As the library launches it: it may start while the kernel before it ends."""
        attributes = (Attribute * 1)()
        attributes[0].id, attributes[0].value[0] = 6, 1
        packed = ctypes.create_string_buffer(task.arguments, len(task.arguments))
        stream = torch.cuda.current_stream().cuda_stream
        config = Launch(task.blocks_of_threads, 1, 1, 256, 1, 1, 0, stream, attributes, 1)
        parameters = (ctypes.c_void_p * 1)(ctypes.addressof(packed))
        must(cuda.cuLaunchKernelEx(ctypes.byref(config), self.function, parameters, None), self.name)


def time_us(make, run, launches=20, replays=15):
    """Median microseconds of a launch, back to back, its tensors cold."""
    first = make()
    copies = max(2, min(40, int(200e6 // total_bytes(first)) + 1))
    tasks = [first] + [make() for _ in range(copies - 1)]
    count = max(launches, copies)
    graph, stream, times = torch.cuda.CUDAGraph(), torch.cuda.Stream(), []
    with torch.cuda.stream(stream):
        run(first)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            for i in range(count):
                run(tasks[i % copies])
        for _ in range(replays + 2):
            begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
            begin.record(stream)
            graph.replay()
            end.record(stream)
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) * 1e3 / count)
    return sorted(times[2:])[replays // 2]


def report(kernel, rows, columns):
    size = total_bytes(kernel.task(rows, columns))
    ours = time_us(lambda: kernel.task(rows, columns), kernel.launch)
    copy = time_us(lambda: Copy(size), lambda task: task.tensors[1].copy_(task.tensors[0]))
    print(f'{rows}x{columns} {kernel.name}: {ours:.2f} us, {size / ours / 1e3:.0f} GB/s; '
          f'copy {copy:.2f} us, {size / copy / 1e3:.0f} GB/s', flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--shapes', default='4096x7168,1024x7168,128x7168,1x7168')
    parser.add_argument('--only', default='')
    parser.add_argument('--check', action='store_true')
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.zeros(1, device='cuda')  # makes the context that the driver calls use
    entries = [e for e in json.loads((SOURCES / 'kernels.json').read_text())
               if e['name'].split()[0] in ENTRIES and options.only in e['name']]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        kernels = [Kernel(*pair) for pair in zip(entries, pool.map(compile_kernel, entries))]
    failed = 0
    for kernel in kernels:
        aligned = kernel.members['kAligned']
        for shape in [(144, 272), (16, 1040)] if aligned else [(131, 77), (5, 1037), (260, 129)]:
            task = kernel.task(*shape)
            kernel.launch(task)
            torch.cuda.synchronize()
            failed += task.wrong() != 0
            if task.wrong():
                print(f'FAIL {kernel.name} {shape}: {task.wrong()} elements')
    print(f'{len(kernels)} kernels checked, {failed} failures', flush=True)
    for shape in [] if options.check else options.shapes.split(','):
        for kernel in kernels:
            if kernel.members['kAligned']:
                report(kernel, *map(int, shape.split('x')))
    return 1 if failed or not kernels else 0


if __name__ == '__main__':
    sys.exit(main())
