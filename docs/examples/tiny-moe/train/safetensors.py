"""The safetensors file format: 8 bytes of header length, a JSON header, the tensors' bytes."""

import json
import struct
from pathlib import Path

import torch
from torch import Tensor

NAMES = {torch.bfloat16: "BF16", torch.float32: "F32"}
RAW = {torch.bfloat16: torch.int16, torch.float32: torch.int32}  # NumPy has no bfloat16


def write(path: Path, tensors: dict[str, Tensor]) -> None:
    # Wider elements first, so that every tensor starts at a multiple of its element size.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    chunks, offset = [], 0
    for name in order:
        tensor = tensors[name].contiguous()
        chunk = tensor.view(RAW[tensor.dtype]).numpy().astype("<i%d" % tensor.element_size())
        chunks.append(chunk.tobytes())
        end = offset + len(chunks[-1])
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))


def read(path: Path) -> dict[str, Tensor]:
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    types = {name: dtype for dtype, name in NAMES.items()}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(content[begin:end], dtype=types[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors
