"""Grouped products for the GPU scripts: operands, the float64 reference, arguments and launches.

A problem holds A, B, their scales, D's shape and the group data of one layout, with NaN wherever
nothing may be read into a result.
"""
import ctypes
import math
import struct

import torch

import gpu_check as dense
from gpu_check import BF16, F32, U8, ceil_div

NAN_CODE = 0x7f
STREAMING = {'whole': 0, 'tail': 1, 'all': 2}


def e4m3(rows, k):
    """Random values, drawn in pieces so that large operands need no large f32 copy."""
    out = torch.empty(rows, k, device='cuda', dtype=torch.float8_e4m3fn)
    step = max(1, 2**26 // k)
    for begin in range(0, rows, step):
        part = out[begin:begin + step]
        part.copy_(torch.randn(part.shape, device='cuda'))
    return out


def vector_scales(k_blocks, rows, slabs=1):
    """mn-major 1x128 scales; the padding of a row to a multiple of 4 is NaN."""
    scales = torch.rand(slabs * k_blocks, ceil_div(rows, 4) * 4, device='cuda') + 0.5
    scales[:, rows:] = math.nan
    return scales


class Kernel(dense.Kernel):
    def __init__(self, entry, cubin):
        super().__init__(entry, cubin)
        self.layout = {'kContiguous': 'contiguous', 'kPacked': 'packed', 'kMasked': 'masked',
                       'kKGrouped': 'k-grouped'}[self.members['kLayout'].removeprefix('Layout::')]
        sliced = self.layout == 'k-grouped' and self.out == torch.float32
        self.staged = (self.staged or sliced) and not self.swapped
        self.height = self.left * (2 if self.shares == 'right' else 1)  # of the cluster's tile


class Rows:
    """The layouts whose groups are runs of rows. `sizes` are those of the groups."""

    def __init__(self, layout, sizes, n, k, max_rows=None, lead=0, trail=0):
        self.layout, self.sizes, self.n, self.k = layout, sizes, n, k
        self.groups, self.k_blocks = len(sizes), ceil_div(k, 128)
        self.max_rows = max_rows or max(max(sizes), 1)
        self.set_sizes(sizes, lead, trail)
        self.a = e4m3(self.rows, k)
        if layout == 'masked':
            self.scales_a = vector_scales(self.k_blocks, self.max_rows, self.groups)
        else:
            self.scales_a = vector_scales(self.k_blocks, self.rows)
        self.a.view(torch.uint8)[self.owner < 0] = NAN_CODE
        self.b = e4m3(self.groups * n, k)
        self.scales_b = torch.rand(self.groups * ceil_div(n, 128), self.k_blocks, device='cuda') + 0.5

    def set_sizes(self, sizes, lead=0, trail=0):
        """Group data, and the group of every row of D (-1: none)."""
        self.sizes = sizes
        owner, data = [], []
        if self.layout == 'contiguous':
            for group, size in enumerate(sizes):
                owner += [group] * size + [-1] * (-size % 128)
            data = owner = owner + [-1] * trail
        elif self.layout == 'packed':
            owner, data = [-1] * lead, [lead]
            for group, size in enumerate(sizes):
                owner += [group] * size
                data.append(len(owner))
            owner += [-1] * trail
        else:
            for group, size in enumerate(sizes):
                owner += [group] * size + [-1] * (self.max_rows - size)
            data = sizes
        self.rows = len(owner)
        self.owner = torch.tensor(owner, device='cuda', dtype=torch.int32)
        self.data = torch.tensor(data, device='cuda', dtype=torch.int32)

    def out_shape(self):
        return self.rows, self.n

    def group_rows(self):
        return self.max_rows if self.layout == 'masked' else 0

    def token_rows(self):
        return self.rows

    def weight_rows(self):
        return self.groups * self.n

    def reference(self, before):
        """Expected D in float64 (NaN: untouched), and the norms behind each element."""
        expected = torch.full(self.out_shape(), math.nan, device='cuda', dtype=torch.float64)
        norms = torch.ones(self.out_shape(), device='cuda', dtype=torch.float64)
        if self.layout == 'contiguous' and before is None:
            expected[self.owner < 0] = 0
        block = torch.arange(self.k, device='cuda') // 128
        columns = torch.arange(self.n, device='cuda') // 128
        for group in range(self.groups):
            rows = (self.owner == group).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            scales = self.scales_a
            at = rows
            if self.layout == 'masked':
                scales = scales[group * self.k_blocks:(group + 1) * self.k_blocks]
                at = rows - group * self.max_rows
            a = self.a[rows].double() * scales[:, at].double().t()[:, block]
            first = group * ceil_div(self.n, 128)
            scales_b = self.scales_b[first:first + ceil_div(self.n, 128)].double()
            b = self.b[group * self.n:(group + 1) * self.n].double() * scales_b[columns][:, block]
            expected[rows] = a @ b.t() + (0 if before is None else before[rows].double())
            norms[rows] = a.norm(dim=1, keepdim=True) * b.norm(dim=1)[None]
        return expected, norms

    def flops(self):
        return 2 * sum(self.sizes) * self.n * self.k


class SlicesOfK:
    """The k-grouped layout. Columns after the last group are NaN."""
    layout = 'k-grouped'

    def __init__(self, sizes, m, n, trail=0):
        self.sizes, self.m, self.n, self.groups = sizes, m, n, len(sizes)
        self.k = sum(sizes) + trail
        blocks = max(1, sum(ceil_div(size, 128) for size in sizes))
        self.a, self.b = e4m3(m, self.k), e4m3(n, self.k)
        for operand in (self.a, self.b):
            operand.view(torch.uint8)[:, sum(sizes):] = NAN_CODE
        self.scales_a, self.scales_b = vector_scales(blocks, m), vector_scales(blocks, n)
        self.data = torch.tensor(sizes, device='cuda', dtype=torch.int32)

    def out_shape(self):
        return self.groups * self.m, self.n

    def group_rows(self):
        return self.m

    def token_rows(self):
        return self.m

    def weight_rows(self):
        return self.n

    def reference(self, before):
        expected = torch.full(self.out_shape(), math.nan, device='cuda', dtype=torch.float64)
        norms = torch.ones(self.out_shape(), device='cuda', dtype=torch.float64)
        first, scale = 0, 0
        for group, size in enumerate(self.sizes):
            rows = slice(group * self.m, (group + 1) * self.m)
            if size == 0:
                if before is None:
                    expected[rows] = 0
                continue
            block = scale + torch.arange(size, device='cuda') // 128
            a = self.a[:, first:first + size].double() * self.scales_a[block, :self.m].double().t()
            b = self.b[:, first:first + size].double() * self.scales_b[block, :self.n].double().t()
            expected[rows] = a @ b.t() + (0 if before is None else before[rows].double())
            norms[rows] = a.norm(dim=1, keepdim=True) * b.norm(dim=1)[None]
            first, scale = first + size, scale + ceil_div(size, 128)
        return expected, norms

    def flops(self):
        return 2 * sum(self.sizes) * self.m * self.n


def arguments(kernel, problem, out, workspace, streaming, band, ready=0):
    """The bytes of GemmArguments, and the blocks of the grid."""
    n, k, swapped = problem.n, problem.k, kernel.swapped
    tokens, weights = problem.token_rows(), problem.weight_rows()
    share = lambda side: 2 if kernel.shares == side else 1
    values = lambda t, rows, box: dense.tensor_map(t, U8, (k, rows), k, (128, box), 128)
    scales = lambda t, box: dense.tensor_map(
        t, F32, (t.shape[1], t.shape[0]), t.shape[1] * 4, (box, 1), 0)
    token_box = (kernel.right if swapped else kernel.left) // share('right' if swapped else 'left')
    weight_box = (kernel.left if swapped else kernel.right) // share('left' if swapped else 'right')
    a, b = values(problem.a, tokens, token_box), values(problem.b, weights, weight_box)
    none = bytes(128)
    scales_a = scales(problem.scales_a, kernel.right if swapped else kernel.left)
    scales_b = scales(problem.scales_b, kernel.right) if kernel.gradient else none
    maps = [b, a, none, scales_a] if swapped else [a, b, scales_a, scales_b]
    kind, size = (BF16, 2) if kernel.out == torch.bfloat16 else (F32, 4)
    columns = math.gcd(kernel.right, 128 // size)
    maps.append(dense.tensor_map(out, kind, (n, out.shape[0]), n * size, (columns, 64), columns * size)
                if kernel.staged else none)
    weight_tiles = ceil_div(n, (kernel.left if swapped else kernel.right) * share('left'))
    token_tiles = ceil_div(tokens, kernel.height) if problem.layout == 'k-grouped' else 0
    left, right = (weight_tiles, token_tiles) if swapped else (token_tiles, weight_tiles)
    extents = (n, tokens) if swapped else (tokens, n)
    sms = torch.cuda.get_device_properties(0).multi_processor_count
    per_sm = kernel.members['kBlocksPerSm'] if streaming == 'whole' else 1
    workers = sms * per_sm // kernel.cluster
    partials, flags = workspace
    # Slices of K have the tiles of dense products; of other layouts only the GPU knows the tiles.
    divisors = ((band * right, band, left % band or band, ceil_div(k, 128))
                if problem.layout == 'k-grouped' else ())
    divided = sum((dense.divisor(value) for value in divisors), ()) or (0,) * 8
    numbers = struct.pack(
        '<QQQQqIIIIIIIIIIQII8I', problem.scales_b.data_ptr(), out.data_ptr(), partials.data_ptr(),
        flags.data_ptr(), n, problem.scales_b.shape[1], *extents, k, left, right, band, workers,
        STREAMING[streaming], ready, problem.data.data_ptr(), problem.groups, problem.group_rows(),
        *divided)
    return (b''.join(maps) + numbers).ljust(832, b'\0'), workers * kernel.cluster


class Prepared:
    """A launch that can be repeated, also while a stream captures."""

    def __init__(self, kernel, packed, grid, programmatic=False):
        self.buffer = ctypes.create_string_buffer(832 + 64)
        place = ctypes.addressof(self.buffer) + 63 & ~63
        ctypes.memmove(place, packed, 832)
        self.pointer = (ctypes.c_void_p * 1)(place)
        self.attributes = (dense.Attribute * 2)()
        self.attributes[0].id = 4  # cluster dimension
        self.attributes[0].value[0:3] = [kernel.cluster, 1, 1]
        self.attributes[1].id = 6  # programmatic stream serialisation
        self.attributes[1].value[0] = 1
        self.kernel, self.grid, self.count = kernel, grid, 2 if programmatic else 1

    def enqueue(self):
        kernel, stream = self.kernel, torch.cuda.current_stream().cuda_stream
        config = dense.Launch(self.grid, 1, 1, kernel.threads, 1, 1, kernel.members['kSharedBytes'],
                              stream, self.attributes, self.count)
        dense.must(dense.cuda.cuLaunchKernelEx(ctypes.byref(config), kernel.function, self.pointer,
                                               None), kernel.name)
