"""Operands of the GPU benchmark, made on the device: the same bytes as `native/gpu/kernels.cu` makes."""

import torch

CHUNK = 1 << 24
MASK = 0xFFFFFFFF
BLOCK = 128


def hashed(first, count, seed):
    """32-bit hashes of the indices from `first`, as int64."""
    h = torch.arange(first, first + count, device="cuda") + seed * 0x9E3779B9 & MASK
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def bell(first, count, seed):
    """Sums of four random bytes around zero, at most 448 in magnitude: whole numbers, in f32."""
    h = hashed(first, count, seed)
    total = (h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24)
    return (total - 510).clamp_(-448, 448).float()


def filled(shape, dtype, seed):
    to = torch.empty(shape, device="cuda", dtype=dtype)
    flat = to.view(-1)
    for first in range(0, flat.numel(), CHUNK):
        count = min(CHUNK, flat.numel() - first)
        flat[first : first + count] = bell(first, count, seed).to(dtype)
    return to


def scales(rows, columns, seed):
    bits = hashed(0, rows * columns, seed) >> 9
    return (bits.float() * 2.0**-23 + 0.5).view(rows, columns)


def ceil_div(a, b):
    return -(-a // b)


class Operands:
    """One set: A with 1x128 scales, B with 128x128 or 1x128 ones, and what a product is added to."""

    def __init__(self, problem, m, n, k, seeds):
        blocks = ceil_div(k, BLOCK)
        self.is_wgrad = problem == "wgrad"
        self.a = filled((m, k), torch.float8_e4m3fn, seeds["a"])
        self.b = filled((n, k), torch.float8_e4m3fn, seeds["b"])
        self.a_scales = scales(m, blocks, seeds["aScales"])
        self.b_scales = scales(n if self.is_wgrad else ceil_div(n, BLOCK), blocks, seeds["bScales"])
        self.start = filled((m, n), torch.float32, seeds["start"]) if self.is_wgrad else None

    def copy(self):
        other = Operands.__new__(Operands)
        for name, value in vars(self).items():
            setattr(other, name, value.clone() if isinstance(value, torch.Tensor) else value)
        return other

    def expected(self):
        """The product of the dequantised operands in f32, without TF32."""
        b_scales = self.b_scales
        if not self.is_wgrad:
            b_scales = b_scales.repeat_interleave(BLOCK, 0)[: self.b.shape[0]]
        product = dequantised(self.a, self.a_scales) @ dequantised(self.b, b_scales).t()
        return product if self.start is None else product + self.start


def dequantised(values, row_scales):
    columns = row_scales.repeat_interleave(BLOCK, 1)[:, : values.shape[1]]
    return values.float() * columns


def error_of(pairs):
    """1 - 2 sum(xy) / sum(x^2 + y^2) over pairs of got and wanted, in float64."""
    products = squares = 0.0
    for got, want in pairs:
        for x, y in zip(got.split(1024), want.split(1024)):
            x, y = x.double(), y.double()
            products += (x * y).sum()
            squares += (x * x + y * y).sum()
    return (1 - 2 * products / squares).item()
