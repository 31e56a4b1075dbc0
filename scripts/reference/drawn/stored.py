"""Files by their description: configurations as text, and weights as a rule that gives every number.

A description is small and is all that a test in another language needs to write the same files
(`test/support/drawn-files.ts` does). A tensor is `[type, shape, fill]`, where fill is

- `uE`: whole numbers k of few bits, times a power of two: at most 2^E. No number is rounded, whatever the type;
- `n`: the same around 1, from 3/4 to 5/4;
- `cX`: the number X everywhere;
- `i`: 0, 1, 2, ...

k comes from a hash of the file's salt, the tensor's key and the element's index.
"""

from __future__ import annotations

import json
from typing import Any

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

TensorRule = tuple[str, list[int], str]
Files = dict[str, dict[str, Any]]
"""Path in the folder -> {"text"}, {"bytes"} in base64, {"salt", "tensors", "metadata"} or {"salt", "tensors", "gguf"}."""

TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F8_E4M3": torch.float8_e4m3fn,
    "I64": torch.int64,
}  # fmt: skip
# Bits of k without its sign; the type's own precision holds them.
BITS = {"F64": 23, "F32": 23, "F16": 10, "BF16": 7, "F8_E4M3": 3}

WORD = 0xFFFFFFFF


def text_hash(text: str) -> int:
    """Hash text by FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & WORD
    return value


def hashes(key: str, count: int) -> NDArray[numpy.uint32]:
    """Give `count` numbers below 2^32: Wellons' lowbias32 of a counter that starts at the key's hash."""
    value = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9) + numpy.uint32(text_hash(key))
    value ^= value >> numpy.uint32(16)
    value *= numpy.uint32(0x7FEB352D)
    value ^= value >> numpy.uint32(15)
    value *= numpy.uint32(0x846CA68B)
    return value ^ (value >> numpy.uint32(16))


def filled(salt: str, key: str, rule: TensorRule) -> Tensor:
    dtype, shape, fill = rule
    count = int(numpy.prod(shape, dtype=numpy.int64))
    if fill == "i":
        values = torch.arange(count)
    elif fill[0] == "c":
        values = torch.full((count,), float(fill[1:]), dtype=torch.float64)
    else:
        bits = BITS[dtype]
        whole = (hashes(f"{salt}/{key}", count) >> numpy.uint32(31 - bits)).astype(numpy.int64) - 2**bits
        if fill == "n":
            values = 1 + torch.from_numpy((whole >> 2).astype(numpy.float64)) * 2.0**-bits
        else:
            values = torch.from_numpy(whole.astype(numpy.float64)) * 2.0 ** (int(fill[1:]) - bits)
    return values.reshape(shape).to(TYPES[dtype])


def json_file(value: Any) -> dict[str, str]:
    return {"text": json.dumps(value, ensure_ascii=False)}


def picture(width: int, height: int, salt: str) -> NDArray[numpy.uint8]:
    """Give an image [height, width, 3]: slopes with a noise of one byte in eight."""
    noise = hashes(f"{salt}/picture", width * height * 3).reshape(height, width, 3)
    rows, columns, channels = numpy.mgrid[0:height, 0:width, 0:3]
    slope = (rows * (3 + channels) + columns * (5 - channels)) * 4 % 256
    return numpy.where(noise % 8 == 0, (noise >> 8) % 256, slope).astype(numpy.uint8)
