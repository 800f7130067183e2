"""The fused layer put together from PyTorch's operations, and from kernels of Triton.

Both begin with the logits, as ours does: softmax gating, SwiGLU, weighted sum. PyTorch's grouped
product takes one scale per row of either operand, coarser than 1x128 by 128x128 and cheaper.
"""

import torch

from gpu_operands import BLOCK

FP8 = torch.float8_e4m3fn
LARGEST = 448.0
ROUTINGS = 4
CHECKED_TOKENS = 4


def fp8_weights(experts, rows, columns):
    values = torch.empty(experts, rows, columns, dtype=FP8, device="cuda")
    for expert in values:
        # Larger ones would become NaN.
        expert.copy_((torch.randn(rows, columns, device="cuda") * 100).clamp_(-LARGEST, LARGEST))
    return values


def weight_scales(shape, columns):
    """Around what makes outputs as large as inputs."""
    return (torch.rand(shape, device="cuda") + 0.5) / (100 * columns**0.5)


class Experts:
    """Weights of both products, with scales per row and per 128x128."""

    def __init__(self, experts, hidden, intermediate):
        self.experts, self.hidden, self.intermediate = experts, hidden, intermediate
        shapes = (2 * intermediate, hidden), (hidden, intermediate)
        self.values = [fp8_weights(experts, *shape) for shape in shapes]
        self.of_rows = [weight_scales((experts, rows), columns) for rows, columns in shapes]
        self.of_blocks = [
            weight_scales((experts, rows // BLOCK, columns // BLOCK), columns) for rows, columns in shapes
        ]

    def dequantised(self, product, expert, by_blocks):
        values = self.values[product][expert].float()
        if not by_blocks:
            return values * self.of_rows[product][expert][:, None]
        scales = self.of_blocks[product][expert]
        return values * scales.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)


class Batch:
    """Tokens and the logits of several random routings, which runs take in turn."""

    def __init__(self, tokens, top_k, experts):
        self.tokens, self.top_k, self.experts = tokens, top_k, experts
        self.x = torch.randn(tokens, experts.hidden, device="cuda").bfloat16()
        self.logits = [torch.randn(tokens, experts.experts, device="cuda") for _ in range(ROUTINGS)]

    def select(self, logits):
        weights, indices = logits.softmax(-1).topk(self.top_k, dim=-1)
        return weights / weights.sum(-1, keepdim=True), indices


def quantised(x, block):
    """Values and f32 scales of blocks along the rows, as the compositions make them."""
    cut = x.float().unflatten(-1, (-1, block))
    scales = cut.abs().amax(-1).clamp(min=1e-10) / LARGEST
    return (cut / scales[..., None]).to(FP8).flatten(-2), scales


def rounded(x, block):
    values, scales = quantised(x, block)
    return values.float() * scales.repeat_interleave(block, -1)


def expected(batch, by_blocks):
    """The first tokens under the first routing, with the casts where the compositions have them."""
    experts = batch.experts
    weights, indices = batch.select(batch.logits[0])
    rows = []
    for token in range(min(CHECKED_TOKENS, batch.tokens)):
        total = 0
        for weight, expert in zip(weights[token].tolist(), indices[token].tolist()):
            x = rounded(batch.x[token], BLOCK if by_blocks else experts.hidden)
            gate_up = (experts.dequantised(0, expert, by_blocks) @ x).bfloat16()
            # PyTorch rounds after every operation, the kernel once.
            gate, up = (gate_up.float() if by_blocks else gate_up).chunk(2)
            inner = (torch.nn.functional.silu(gate) * up).bfloat16()
            inner = rounded(inner, BLOCK if by_blocks else experts.intermediate)
            total = total + weight * (experts.dequantised(1, expert, by_blocks) @ inner)
        rows.append(total)
    return torch.stack(rows)


class Layer:
    """A composition; `by_blocks`: which scales it has."""

    by_blocks = True

    def layer_calls(self, batch, launches):
        ready = [lambda logits=logits: self.run(batch, logits) for logits in batch.logits]
        return [ready[i % ROUTINGS] for i in range(launches)]

    def layer_products(self, batch):
        return lambda out: [(out[:CHECKED_TOKENS], expected(batch, self.by_blocks))]


class TorchLayer(Layer):
    """torch._scaled_grouped_mm and eager operations around it."""

    by_blocks = False

    def __init__(self):
        self.multiply = torch._scaled_grouped_mm
        self.version = f"PyTorch {torch.__version__}"

    def product(self, experts, product, rows, offsets):
        values, scales = quantised(rows, rows.shape[-1])
        return self.multiply(
            values, experts.values[product].transpose(-2, -1), scales.flatten(),
            experts.of_rows[product], offs=offsets, out_dtype=torch.bfloat16, use_fast_accum=True)

    def run(self, batch, logits):
        experts = batch.experts
        weights, indices = batch.select(logits)
        flat = indices.flatten()
        order = torch.argsort(flat, stable=True)
        tokens = order // batch.top_k
        counts = torch.zeros(experts.experts, dtype=torch.int32, device="cuda")
        counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
        offsets = counts.cumsum(0, dtype=torch.int32)
        gate, up = self.product(experts, 0, batch.x[tokens], offsets).chunk(2, dim=-1)
        rows = self.product(experts, 1, torch.nn.functional.silu(gate) * up, offsets)
        weighted = rows * weights.flatten()[order, None].to(rows.dtype)
        return torch.zeros_like(batch.x).index_add_(0, tokens, weighted)


class TritonLayer(Layer):
    """Kernels of gpu_layer_triton.py; rows are padded to whole tiles of an expert."""

    def __init__(self):
        import gpu_layer_triton as kernels
        import triton

        self.kernels = kernels
        self.version = f"Triton {triton.__version__}"

    def run(self, batch, logits):
        kernels, experts = self.kernels, batch.experts
        weights, indices = batch.select(logits)
        tile = kernels.tile_of(indices.numel() / experts.experts)
        slots, expert_of = aligned_slots(indices.flatten(), experts.experts, tile)
        x = kernels.quantize(batch.x)
        gate_up = kernels.multiply(
            x, experts.values[0], experts.of_blocks[0], slots, expert_of, tile, batch.top_k)
        inner = kernels.swiglu_quantize(gate_up)
        rows = kernels.multiply(inner, experts.values[1], experts.of_blocks[1], slots, expert_of, tile, 1)
        return kernels.combine(rows, weights)


def aligned_slots(flat, experts, tile):
    """Slots by expert, each expert's filled up to whole tiles, and the expert of every tile."""
    total = flat.numel()
    tiles = total // tile + min(experts, total)
    order = torch.argsort(flat, stable=True)
    counts = torch.zeros(experts, dtype=torch.int64, device="cuda")
    counts.scatter_add_(0, flat, torch.ones_like(flat))
    padded = (counts + tile - 1) // tile * tile
    ends = padded.cumsum(0)
    shift = ends - padded - (counts.cumsum(0) - counts)
    slots = torch.full((tiles * tile,), total, dtype=torch.int64, device="cuda")
    slots[torch.arange(total, device="cuda") + shift[flat[order]]] = order
    first_rows = torch.arange(tiles, device="cuda") * tile
    return slots, torch.searchsorted(ends, first_rows, right=True)
