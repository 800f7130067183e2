"""Operands of grouped products, in the layouts that DeepGEMM has, and how peers are called on them."""

import torch

from gpu_operands import BLOCK, ceil_div, dequantised, filled, scales

ALIGNMENT = 128
CUBLASLT_ROWS = 16


class Grouped:
    """`packed` is laid out as `contiguous`: DeepGEMM has no layout without padding."""

    def __init__(self, problem, groups, m, n, k, sizes, seeds):
        self.problem, self.sizes = problem, sizes
        self.start = None
        if problem == "k-grouped":
            self.make_slices(m, n, seeds)
            return
        blocks = ceil_div(k, BLOCK)
        rows = groups * m if problem == "masked" else sum(map(aligned, sizes))
        self.a = filled((rows, k), torch.float8_e4m3fn, seeds["a"])
        self.a_scales = scales(rows, blocks, seeds["aScales"])
        if problem == "masked":
            self.a, self.a_scales = self.a.view(groups, m, k), self.a_scales.view(groups, m, blocks)
        self.b = filled((groups, n, k), torch.float8_e4m3fn, seeds["b"])
        n_blocks = ceil_div(n, BLOCK)
        self.b_scales = scales(groups * n_blocks, blocks, seeds["bScales"]).view(groups, n_blocks, -1)
        self.layout = self.rows_layout(rows)

    def make_slices(self, m, n, seeds):
        """A slice of K after another, each [rows, K of the group]."""
        total = sum(self.sizes)
        self.a = filled((m * total,), torch.float8_e4m3fn, seeds["a"])
        self.b = filled((n * total,), torch.float8_e4m3fn, seeds["b"])
        self.a_scales = scales(total // BLOCK, m, seeds["aScales"]).t()
        self.b_scales = scales(total // BLOCK, n, seeds["bScales"]).t()
        self.start = filled((len(self.sizes), m, n), torch.float32, seeds["start"])
        self.layout = torch.tensor(self.sizes, device="cuda", dtype=torch.int32)

    def rows_layout(self, rows):
        if self.problem == "masked":
            return torch.tensor(self.sizes, device="cuda", dtype=torch.int32)
        index = torch.full((rows,), -1, device="cuda", dtype=torch.int32)
        for group, (first, size) in enumerate(self.runs()):
            index[first : first + size] = group
        return index

    def runs(self):
        """First row and rows of every group of the contiguous layout."""
        first = 0
        for size in self.sizes:
            yield first, size
            first += aligned(size)

    def copy(self):
        other = Grouped.__new__(Grouped)
        for name, value in vars(self).items():
            setattr(other, name, value.clone() if isinstance(value, torch.Tensor) else value)
        return other

    def rows_of(self, group, first, size):
        """Index of the rows of a group in A, its scales and D."""
        return (group, slice(size)) if self.problem == "masked" else slice(first, first + size)

    def products(self, out):
        """What the library made of every group, and what it should be, in f32; a list has a D per group."""
        if self.problem == "k-grouped":
            yield from self.slice_products(out)
            return
        for group, (first, size) in enumerate(self.runs()):
            rows = self.rows_of(group, first, size)
            got = out[group][:size] if isinstance(out, list) else out[rows]
            b_scales = self.b_scales[group].repeat_interleave(BLOCK, 0)[: self.b.shape[1]]
            b = dequantised(self.b[group], b_scales)
            yield got, dequantised(self.a[rows], self.a_scales[rows]) @ b.t()

    def slice_products(self, out):
        m, n = out.shape[1:]
        first = 0
        for group, size in enumerate(self.sizes):
            blocks = slice(first // BLOCK, (first + size) // BLOCK)
            a = self.a[first * m : (first + size) * m].view(m, size)
            b = self.b[first * n : (first + size) * n].view(n, size)
            want = dequantised(a, self.a_scales[:, blocks]) @ dequantised(b, self.b_scales[:, blocks]).t()
            yield out[group], want + self.start[group]
            first += size


def aligned(size):
    return ceil_div(size, ALIGNMENT) * ALIGNMENT


def cublaslt_call(library, operands):
    """A product per group, one after another; the sizes of groups are known to the host beforehand."""
    if operands.problem == "k-grouped":
        raise ValueError("cuBLASLt has no accumulating product with these scales in PyTorch")
    calls = []
    for group, (first, size) in enumerate(operands.runs()):
        # Some rows of padding, or of no group, where the size is no multiple of what it takes.
        rows = operands.rows_of(group, first, ceil_div(size, CUBLASLT_ROWS) * CUBLASLT_ROWS)
        calls.append(library.product(operands.a[rows], operands.a_scales[rows],
                                     operands.b[group], operands.b_scales[group]))
    return lambda: [call() for call in calls]


def deepgemm_call(library, operands, expected_m):
    """A function that enqueues the product into an output of its own, and returns it."""
    a = operands.a, library.get_mn_major_tma_aligned_tensor(operands.a_scales)
    b = operands.b, operands.b_scales
    if operands.problem == "k-grouped":
        b = operands.b, library.get_mn_major_tma_aligned_tensor(operands.b_scales)
        out = operands.start.clone()

        def run():
            library.k_grouped_fp8_gemm_nt_contiguous(a, b, out, operands.sizes, operands.layout, out)
            return out

        return run
    shape = (*operands.a.shape[:-1], operands.b.shape[1])
    out = torch.empty(shape, device="cuda", dtype=torch.bfloat16)

    def masked():
        library.m_grouped_fp8_gemm_nt_masked(
            a, b, out, operands.layout, expected_m, disable_ue8m0_cast=True
        )
        return out

    def contiguous():
        library.m_grouped_fp8_gemm_nt_contiguous(
            a, b, out, operands.layout, disable_ue8m0_cast=True
        )
        return out

    return masked if operands.problem == "masked" else contiguous
