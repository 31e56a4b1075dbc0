"""GGUF files by their description: the rules of `stored.py`, with ggml's blocks for matrices.

The bytes of a block come from the same hash. Its 16-bit scales are constants, so that the numbers lie around 0 and spread as
the rule says. `test/support/drawn-gguf.ts` writes the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy
import torch
from drawn.stored import TYPES, TensorRule, filled, hashes
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """The numbers of random blocks are about as large as 2^`bits` times the scale."""

    bits: int
    scale: int
    """Offset of the scale in a block, in bytes."""
    offset: int | None = None
    """The same of the scale of what is added, or subtracted, to bring the mean to 0."""
    mean: float = 0
    """The value there, in scales."""


BLOCKS = {
    "Q8_0": Blocks(7, 0), "Q4_0": Blocks(3, 0), "Q4_1": Blocks(3, 0, 2, -7.5), "Q5_0": Blocks(4, 0),
    "Q5_1": Blocks(4, 0, 2, -15.5), "Q2_K": Blocks(5, 80, 82, 1.5), "Q3_K": Blocks(6, 108), "Q4_K": Blocks(9, 0, 2, 7.5),
    "Q5_K": Blocks(10, 0, 2, 15.5), "Q6_K": Blocks(11, 208), "IQ4_NL": Blocks(7, 0), "IQ4_XS": Blocks(11, 0),
}  # fmt: skip


def block_bytes(salt: str, key: str, rule: TensorRule) -> NDArray[numpy.uint8]:
    """Give the bytes of a matrix, row by row."""
    kind, shape, fill = rule
    block_size, num_bytes = gguf.GGML_QUANT_SIZES[Type[kind]]
    num_blocks = int(numpy.prod(shape)) // block_size
    blocks = (hashes(f"{salt}/{key}", num_blocks * num_bytes) >> numpy.uint32(24)).astype(numpy.uint8)
    blocks = blocks.reshape(num_blocks, num_bytes)
    form = BLOCKS[kind]
    scale = 2.0 ** (int(fill[1:]) - form.bits)
    for place, value in ((form.scale, scale), (form.offset, form.mean * scale)):
        if place is not None:
            blocks[:, place : place + 2] = numpy.array([value], dtype=numpy.float16).view(numpy.uint8)
    return blocks.reshape(shape[0], -1)


def write_gguf(path: Path, content: dict[str, Any]) -> None:
    writer = GGUFWriter(path, content["gguf"])
    for key, rule in content["tensors"].items():
        if rule[0] in BLOCKS:
            data = block_bytes(content["salt"], key, rule)
        else:
            values = filled(content["salt"], key, rule)
            data = values.reshape(*values.shape[:-1], -1).view(torch.uint8).numpy()
        writer.add_tensor(key, data, raw_dtype=Type[rule[0]])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_gguf(path: Path) -> dict[str, Tensor]:
    """Read all tensors in float32. diffusers would round what its own code widens to 16 bits."""
    return {
        tensor.name: torch.from_numpy(
            gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32).reshape(tensor.shape[::-1].tolist())
        )
        for tensor in GGUFReader(path).tensors
    }
