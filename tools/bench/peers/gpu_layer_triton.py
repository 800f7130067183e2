"""Kernels of Triton for a Mixture-of-Experts layer in FP8 with 1x128 and 128x128 scales."""

import torch
import triton
import triton.language as tl

BLOCK = 128
FEW_ROWS, MANY_ROWS = 16, 128
# Between these an expert's rows fill less than half of the taller tile.
MOST_OF_FEW = 48


def tile_of(rows):
    """Rows of a tile, for so many rows of an expert."""
    return FEW_ROWS if rows <= MOST_OF_FEW else MANY_ROWS


@triton.jit
def scaled_rows(x):
    scale = tl.maximum(tl.max(tl.abs(x), 1), 1e-10) / 448.0
    return (x / scale[:, None]).to(tl.float8e4nv), scale


@triton.jit
def quantize_kernel(source, values, scales, blocks, rows: tl.constexpr):
    block = tl.program_id(0) * rows + tl.arange(0, rows)
    at = block[:, None].to(tl.int64) * 128 + tl.arange(0, 128)[None, :]
    inside = block < blocks
    x = tl.load(source + at, mask=inside[:, None], other=0.0).to(tl.float32)
    codes, scale = scaled_rows(x)
    tl.store(values + at, codes, mask=inside[:, None])
    tl.store(scales + block, scale, mask=inside)


@triton.jit
def swiglu_kernel(source, values, scales, blocks, of_row, rows: tl.constexpr):
    block = tl.program_id(0) * rows + tl.arange(0, rows)
    inside = block < blocks
    row = (block // of_row).to(tl.int64)
    column = (block % of_row) * 128
    gate_at = (row * of_row * 256 + column)[:, None] + tl.arange(0, 128)[None, :]
    gate = tl.load(source + gate_at, mask=inside[:, None], other=0.0).to(tl.float32)
    up = tl.load(source + gate_at + of_row * 128, mask=inside[:, None], other=0.0).to(tl.float32)
    x = (gate * tl.sigmoid(gate) * up).to(tl.bfloat16).to(tl.float32)
    codes, scale = scaled_rows(x)
    at = block[:, None].to(tl.int64) * 128 + tl.arange(0, 128)[None, :]
    tl.store(values + at, codes, mask=inside[:, None])
    tl.store(scales + block, scale, mask=inside)


@triton.jit
def product_kernel(a, a_scales, b, b_scales, out, slots, expert_of, total, experts, n, k, share,
                   tile_m: tl.constexpr):
    tile = tl.program_id(1)
    expert = tl.load(expert_of + tile)
    if expert >= experts:
        return
    slot = tl.load(slots + tile * tile_m + tl.arange(0, tile_m))
    inside = slot < total
    row = slot // share
    column = tl.program_id(0) * 128 + tl.arange(0, 128)
    along = tl.arange(0, 128)
    blocks = k // 128
    a_at = a + row[:, None] * k + along[None, :]
    b_at = b + (expert * n + column)[None, :] * k + along[:, None]
    a_scale_at = a_scales + row * blocks
    b_scale_at = b_scales + (expert * (n // 128) + tl.program_id(0)) * blocks
    total_sum = tl.zeros((tile_m, 128), dtype=tl.float32)
    for block in range(0, blocks):
        left = tl.load(a_at, mask=inside[:, None], other=0.0)
        right = tl.load(b_at)
        left_scale = tl.load(a_scale_at + block, mask=inside, other=0.0)
        right_scale = tl.load(b_scale_at + block)
        total_sum += tl.dot(left, right) * (left_scale * right_scale)[:, None]
        a_at += 128
        b_at += 128
    to = out + slot[:, None] * n + column[None, :]
    tl.store(to, total_sum.to(tl.bfloat16), mask=inside[:, None])


@triton.jit
def combine_kernel(rows, weights, out, hidden, top_k: tl.constexpr, width: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * width + tl.arange(0, width)
    inside = column < hidden
    total = tl.zeros((width,), dtype=tl.float32)
    for i in range(top_k):
        slot = token * top_k + i
        row = tl.load(rows + slot * hidden + column, mask=inside, other=0.0).to(tl.float32)
        total += row * tl.load(weights + slot)
    tl.store(out + token * hidden + column, total.to(tl.bfloat16), mask=inside)


def quantize(x):
    values, scales = empty_operand(*x.shape)
    blocks = scales.numel()
    quantize_kernel[(triton.cdiv(blocks, 8),)](x, values, scales, blocks, 8)
    return values, scales


def swiglu_quantize(gate_up):
    values, scales = empty_operand(gate_up.shape[0], gate_up.shape[1] // 2)
    blocks = scales.numel()
    swiglu_kernel[(triton.cdiv(blocks, 8),)](gate_up, values, scales, blocks, scales.shape[1], 8)
    return values, scales


def empty_operand(rows, columns):
    values = torch.empty(rows, columns, dtype=torch.float8_e4m3fn, device="cuda")
    return values, torch.empty(rows, columns // BLOCK, dtype=torch.float32, device="cuda")


def multiply(a, b, b_scales, slots, expert_of, tile, share):
    """D of every slot; `share` slots have the same row of A."""
    values, scales = a
    experts, n, k = b.shape
    total = values.shape[0] * share
    out = torch.empty(total, n, dtype=torch.bfloat16, device="cuda")
    few = tile == FEW_ROWS
    product_kernel[(n // BLOCK, expert_of.numel())](
        values, scales, b, b_scales, out, slots, expert_of, total, experts, n, k, share, tile,
        num_warps=4 if few else 8, num_stages=5 if few else 3)
    return out


def combine(rows, weights):
    tokens, top_k = weights.shape
    out = torch.empty(tokens, rows.shape[1], dtype=torch.bfloat16, device="cuda")
    combine_kernel[(tokens, triton.cdiv(rows.shape[1], 1024))](
        rows, weights, out, rows.shape[1], top_k, 1024)
    return out
