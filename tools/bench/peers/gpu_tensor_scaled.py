"""cuBLASLt's product with one scale per matrix, through PyTorch: what most FP8 models run today."""

import collections

import torch


class CublasLtTensor:
    """On the same values, with a scale of one: its own product is what it is checked against."""

    def __init__(self):
        self.version = f"CUDA {torch.version.cuda}, PyTorch {torch.__version__}"
        self.scale = torch.ones((), device="cuda")

    def expected(self, operands):
        return operands.a.float() @ operands.b.float().t()

    def calls(self, sets, launches):
        if sets[0].is_wgrad:
            raise ValueError("PyTorch has no accumulating product for cuBLASLt")
        # It allocates its output: as many as there are sets live at a time, so that they rotate too.
        outs = collections.deque(maxlen=len(sets))
        ready = [self.call(operands, outs) for operands in sets]
        return [ready[i % len(sets)] for i in range(launches)]

    def call(self, operands, outs):
        a, b, scale = operands.a, operands.b.t(), self.scale

        def run():
            if len(outs) == outs.maxlen:
                outs.popleft()
            out = torch._scaled_mm(
                a, b, scale, scale, out_dtype=torch.bfloat16, use_fast_accum=True
            )
            outs.append(out)
            return out

        return run
