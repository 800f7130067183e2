"""The libraries beside ours: how each is called on operands, and which of them are here."""

import collections
import os
import sys

import torch

from gpu_grouped import cublaslt_call, deepgemm_call

PADDED_BLOCKS = 4


class CublasLt:
    """cuBLASLt's block-scaled product, through PyTorch."""

    def __init__(self):
        from torch.nn.functional import ScalingType, scaled_mm

        self.scaled_mm = scaled_mm
        self.recipes = ScalingType.BlockWise1x128, ScalingType.BlockWise128x128
        self.version = f"CUDA {torch.version.cuda}, PyTorch {torch.__version__}"

    def calls(self, sets, launches):
        if sets[0].is_wgrad:
            raise ValueError("cuBLASLt has no accumulating product with these scales in PyTorch")
        # It allocates its output: as many as there are sets live at a time, so that they rotate too.
        outs = collections.deque(maxlen=len(sets))
        ready = [self.call(operands, outs) for operands in sets]
        return [ready[i % len(sets)] for i in range(launches)]

    def call(self, operands, outs):
        product = self.product(operands.a, operands.a_scales, operands.b, operands.b_scales)
        return lambda: rotated(outs, product)

    def product(self, a, a_scales, b, b_scales):
        """A function that enqueues a product and returns its output, which it allocates."""
        a_scales, b_scales, b = column_major(a_scales), k_major(b_scales), b.t()
        a_recipe, b_recipe = self.recipes
        return lambda: self.scaled_mm(
            a, b, a_scales, a_recipe, b_scales, b_recipe, output_dtype=torch.bfloat16
        )

    def grouped_calls(self, sets, launches, _):
        outs = collections.deque(maxlen=len(sets))
        ready = [cublaslt_call(self, operands) for operands in sets]
        return [lambda run=ready[i % len(sets)]: rotated(outs, run) for i in range(launches)]


def rotated(outs, run):
    """The output of `run`; as many are live as `outs` has room for."""
    if len(outs) == outs.maxlen:
        outs.popleft()
    outs.append(run())
    return outs[-1]


def column_major(scales):
    """Scales of A column after column; said by strides even where there is one row."""
    rows, blocks = scales.shape
    return torch.empty_strided((rows, blocks), (1, rows), device="cuda").copy_(scales)


def k_major(scales):
    """Block scales column-major, the number of K blocks padded to a multiple of 4."""
    blocks = scales.shape[1]
    padded = torch.zeros(scales.shape[0], -(-blocks // PADDED_BLOCKS) * PADDED_BLOCKS, device="cuda")
    padded[:, :blocks] = scales
    return padded[:, :blocks].t()


class DeepGemm:
    """DeepGEMM, imported from DEEPGEMM_PEER_PATH or wherever Python finds it."""

    def __init__(self):
        path = os.environ.get("DEEPGEMM_PEER_PATH")
        if path:
            sys.path.insert(0, path)
        import deep_gemm

        self.library = deep_gemm
        self.version = getattr(deep_gemm, "__version__", "unknown")

    def calls(self, sets, launches):
        ready = [self.call(operands) for operands in sets]
        return [ready[i % len(sets)] for i in range(launches)]

    def grouped_calls(self, sets, launches, expected_m):
        ready = [self.grouped_call(operands, expected_m) for operands in sets]
        return [ready[i % len(sets)] for i in range(launches)]

    def grouped_call(self, operands, expected_m):
        return deepgemm_call(self.library, operands, expected_m)

    def call(self, operands):
        library = self.library
        m, n = operands.a.shape[0], operands.b.shape[0]
        a = operands.a, library.get_mn_major_tma_aligned_tensor(operands.a_scales)
        if not operands.is_wgrad:
            b = operands.b, operands.b_scales
            out = torch.empty(m, n, device="cuda", dtype=torch.bfloat16)
            options = {}
        else:
            b = operands.b, library.get_mn_major_tma_aligned_tensor(operands.b_scales)
            out = operands.start.clone()
            options = {"c": out, "recipe": (1, 1, 128)}

        def run():
            library.fp8_gemm_nt(a, b, out, disable_ue8m0_cast=True, **options)
            return out

        return run


class DeepGemmDependent(DeepGemm):
    """The same with programmatic dependent launch, which it leaves off by default."""

    def call(self, operands):
        return self.dependent(super().call(operands))

    def grouped_call(self, operands, expected_m):
        return self.dependent(super().grouped_call(operands, expected_m))

    def dependent(self, run):
        library = self.library

        def run_dependent():
            library.set_pdl(True)
            try:
                return run()
            finally:
                library.set_pdl(False)

        return run_dependent


def tensor_scaled():
    from gpu_tensor_scaled import CublasLtTensor

    return CublasLtTensor()


def written_in_triton():
    from gpu_triton import Triton

    return Triton()


def layer_in_torch():
    from gpu_layer import TorchLayer

    return TorchLayer()


def layer_in_triton():
    from gpu_layer import TritonLayer

    return TritonLayer()


LIBRARIES = {
    "deepgemm": DeepGemm,
    "deepgemm_dependent": DeepGemmDependent,
    "cublaslt": CublasLt,
    "cublaslt_tensor": tensor_scaled,
    "triton": written_in_triton,
    "torch_layer": layer_in_torch,
    "triton_layer": layer_in_triton,
}


def find_libraries(names):
    """Those that work here, and why the others do not."""
    found, missing = {}, {}
    for name in names:
        try:
            found[name] = LIBRARIES[name]()
        except Exception as error:  # an import can fail in any way
            missing[name] = f"{type(error).__name__}: {error}"
    return found, missing
