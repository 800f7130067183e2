"""A block-scaled product written in Triton the plain way: what a Python user writes in an hour."""

import torch
import triton
import triton.language as tl


def configs():
    tiles = (16, 64, 4), (16, 128, 4), (64, 64, 4), (64, 128, 4), (128, 128, 8)
    return [
        triton.Config({"BM": rows, "BN": columns}, num_warps=warps, num_stages=stages)
        for rows, columns, warps in tiles
        for stages in (3, 5)
    ]


def timed(call, quantiles):
    return triton.testing.do_bench(call, warmup=5, rep=20, quantiles=quantiles)


@triton.autotune(configs=configs(), key=["bucket", "n", "k"], do_bench=timed)
@triton.jit
def product(a, b, a_scales, b_scales, d, m, n, k, bucket, BM: tl.constexpr, BN: tl.constexpr):
    tiles_n = tl.cdiv(n, BN)
    rows = tl.program_id(0) // tiles_n * BM + tl.arange(0, BM)
    columns = tl.program_id(0) % tiles_n * BN + tl.arange(0, BN)
    inner = tl.arange(0, 128)
    blocks = tl.cdiv(k, 128)
    row_mask, column_mask = rows < m, columns < n
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for block in range(blocks):
        at = block * 128 + inner
        x = tl.load(a + rows[:, None] * k + at[None, :], row_mask[:, None] & (at < k)[None, :], 0.0)
        y = tl.load(
            b + columns[None, :] * k + at[:, None], column_mask[None, :] & (at < k)[:, None], 0.0
        )
        x_scale = tl.load(a_scales + block * m + rows, row_mask, 0.0)
        y_scale = tl.load(b_scales + columns // 128 * blocks + block, column_mask, 0.0)
        total += tl.dot(x, y) * x_scale[:, None] * y_scale[None, :]
    at = d + rows[:, None] * n + columns[None, :]
    tl.store(at, total.to(tl.bfloat16), row_mask[:, None] & column_mask[None, :])


class Triton:
    def __init__(self):
        self.version = triton.__version__

    def calls(self, sets, launches):
        if sets[0].is_wgrad:
            raise ValueError("this kernel is for block scales of B")
        ready = [self.call(operands) for operands in sets]
        return [ready[i % len(sets)] for i in range(launches)]

    def call(self, operands):
        a, b, b_scales = operands.a, operands.b, operands.b_scales
        (m, k), n = a.shape, b.shape[0]
        a_scales = operands.a_scales.t().contiguous()
        out = torch.empty(m, n, device="cuda", dtype=torch.bfloat16)

        def tiles(config):
            return (triton.cdiv(m, config["BM"]) * triton.cdiv(n, config["BN"]),)

        def run():
            product[tiles](a, b, a_scales, b_scales, out, m, n, k, m.bit_length())
            return out

        return run
