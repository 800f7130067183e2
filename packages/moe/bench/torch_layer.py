"""The same layer put together from PyTorch's operations, as a peer of cuda-layer.mjs in the same run.

    python3 packages/moe/bench/torch_layer.py [--tokens 1,16,128,4096] [--experts 256] [--json FILE]

Products are torch._grouped_mm in bf16 or torch._scaled_grouped_mm in FP8 with one scale per row of
either operand: coarser than 1x128 by 128x128, and cheaper. Everything runs in one CUDA graph.
"""

import argparse
import json

import torch

HIDDEN, INTERMEDIATE, TOP_K, GROUPS, TOP_GROUPS = 7168, 2048, 8, 8, 4
FP8 = torch.float8_e4m3fn


def select(x, router, bias):
    """DeepSeek-V3's group-limited sigmoid: indices and weights [T, top_k]."""
    scores = torch.sigmoid((x @ router.T).float())
    biased = scores + bias
    tokens, experts = scores.shape
    of_groups = biased.view(tokens, GROUPS, -1).topk(2, dim=-1).values.sum(-1)
    kept = torch.zeros_like(of_groups).scatter_(1, of_groups.topk(TOP_GROUPS, dim=-1).indices, 1.0)
    mask = kept.repeat_interleave(experts // GROUPS, dim=1)
    indices = torch.where(mask > 0, biased, -1.0).topk(TOP_K, dim=-1).indices
    chosen = scores.gather(1, indices)
    return indices, 2.5 * chosen / chosen.sum(-1, keepdim=True)


def quantize_rows(x):
    scale = x.abs().amax(-1, keepdim=True).float().clamp(min=1e-6) / 448.0
    return (x.float() / scale).to(FP8), scale.squeeze(-1)


def multiply(a, weights, offsets):
    if isinstance(weights, tuple):
        values, scales = weights
        codes, of_rows = quantize_rows(a)
        return torch._scaled_grouped_mm(
            codes, values.transpose(-2, -1), of_rows, scales, offs=offsets,
            out_dtype=torch.bfloat16, use_fast_accum=True)
    return torch._grouped_mm(a, weights.transpose(-2, -1), offs=offsets)


def layer(x, router, bias, gate_up, down):
    indices, weights = select(x, router, bias)
    flat = indices.flatten()
    order = torch.argsort(flat, stable=True)
    tokens = order // TOP_K
    counts = torch.zeros(router.shape[0], dtype=torch.int32, device=x.device)
    counts.scatter_add_(0, flat, torch.ones_like(flat, dtype=torch.int32))
    offsets = counts.cumsum(0, dtype=torch.int32)
    gate, up = multiply(x[tokens], gate_up, offsets).chunk(2, dim=-1)
    rows = multiply(torch.nn.functional.silu(gate) * up, down, offsets)
    weighted = rows * weights.flatten()[order, None].to(rows.dtype)
    return torch.zeros_like(x).index_add_(0, tokens, weighted)


def time_us(run, launches):
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    times = []
    for _ in range(9):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(launches):
            graph.replay()
        end.record()
        end.synchronize()
        times.append(1000 * begin.elapsed_time(end) / launches)
    return sorted(times)[len(times) // 2]


def random_weights(kind, experts, rows, columns):
    if kind == "bf16":
        weights = torch.empty(experts, rows, columns, dtype=torch.bfloat16, device="cuda")
        return weights.normal_(std=columns**-0.5)
    values = torch.empty(experts, rows, columns, dtype=FP8, device="cuda")
    for expert in values:
        expert.copy_(torch.randn(rows, columns, device="cuda") * 100)
    scale = 1 / (100 * columns**0.5)
    return values, torch.full((experts, rows), scale, device="cuda")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", default="1,16,128,4096")
    parser.add_argument("--experts", type=int, default=256)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.manual_seed(1)
    results = []
    for kind in ("fp8", "bf16"):
        try:
            gate_up = random_weights(kind, options.experts, 2 * INTERMEDIATE, HIDDEN)
            down = random_weights(kind, options.experts, HIDDEN, INTERMEDIATE)
            router = torch.randn(options.experts, HIDDEN, device="cuda", dtype=torch.bfloat16)
            router *= HIDDEN**-0.5
            bias = torch.zeros(options.experts, device="cuda")
            for tokens in map(int, options.tokens.split(",")):
                x = torch.randn(tokens, HIDDEN, device="cuda", dtype=torch.bfloat16)
                run = lambda: layer(x, router, bias, gate_up, down)
                us = time_us(run, 5 if tokens > 100 else 20)
                results.append({"kind": kind, "tokens": tokens, "torch_us": us})
                print(f"PyTorch {torch.__version__}, {kind}, T {tokens:4}: {us:9.1f} us", flush=True)
        except (RuntimeError, AttributeError, TypeError) as error:
            print(f"{kind}: {str(error).splitlines()[0]}", flush=True)
        gate_up = down = None
        torch.cuda.empty_cache()
    if options.json:
        with open(options.json, "w", encoding="utf8") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
