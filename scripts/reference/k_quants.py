"""Writes a checkpoint's transformer as a GGUF file in a K type of ggml, which PyPI `gguf` reads and does not write.

Scales and offsets come from the least and the largest number of a group, without the search of llama.cpp's quantiser. Matrices whose rows
are no whole blocks become Q8_0, vectors F32.

Usage: python scripts/reference/k_quants.py CHECKPOINT Q4_K FILE
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import tools_folder  # noqa: F401  (first)
import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf_files import quantised, write
from numpy.typing import NDArray
from safetensors.torch import load_file
from single_files import verified_transformer

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
BLOCK = 256


def halves(values: Floats) -> Bytes:
    """Give the bytes of numbers in fp16: [blocks, 2]."""
    return values.astype(np.float16)[:, None].view(np.uint8)


def whole(values: Floats, least: int, most: int) -> NDArray[np.int64]:
    return np.clip(np.rint(values), least, most).astype(np.int64)


def divided(numbers: Floats, steps: Floats) -> Floats:
    return np.divide(numbers, steps, out=np.zeros_like(numbers), where=steps != 0)


def with_offsets(blocks: Floats, size: int, bits: int, scale_bits: int) -> tuple[NDArray[np.int64], ...]:
    """Give the integers of each group of `size`, its scale and offset, and the scales of both: y = d s q - e m."""
    groups = blocks.reshape(len(blocks), -1, size)
    offset = np.maximum(-groups.min(2), 0)
    scale = (np.maximum(groups.max(2), 0) + offset) / (2**bits - 1)
    most = 2**scale_bits - 1
    d, e = ((values.max(1) / most).astype(np.float16).astype(np.float32) for values in (scale, offset))
    s, m = (whole(divided(values, np.broadcast_to(step[:, None], values.shape)), 0, most) for values, step in ((scale, d), (offset, e)))
    steps = np.broadcast_to((d[:, None] * s)[:, :, None], groups.shape).astype(np.float32)
    q = whole(divided(groups + (e[:, None] * m)[:, :, None].astype(np.float32), steps), 0, 2**bits - 1)
    return q.reshape(blocks.shape), s, m, d, e


def signed(blocks: Floats, bits: int, scale_bits: int) -> tuple[NDArray[np.int64], ...]:
    """Give the integers from -2^(bits-1), the scale of each group of 16, and the scale of those: y = d s q."""
    groups = blocks.reshape(len(blocks), -1, 16)
    largest = np.take_along_axis(groups, np.abs(groups).argmax(2)[:, :, None], 2)[:, :, 0]
    scale = -largest / 2 ** (bits - 1)
    half = 2 ** (scale_bits - 1)
    d = (np.abs(scale).max(1) / (half - 1)).astype(np.float16).astype(np.float32)
    s = whole(divided(scale, np.broadcast_to(d[:, None], scale.shape)), 1 - half, half - 1)
    steps = np.broadcast_to((d[:, None] * s)[:, :, None], groups.shape).astype(np.float32)
    q = whole(divided(groups, steps), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return q.reshape(blocks.shape), s, d


def packed_scales(s: NDArray[np.int64], m: NDArray[np.int64]) -> Bytes:
    """Pack eight scales and eight offsets of 6 bits into 12 bytes."""
    low = np.concatenate([s[:, :4] | (s[:, 4:] >> 4) << 6, m[:, :4] | (m[:, 4:] >> 4) << 6], axis=1)
    return np.concatenate([low, s[:, 4:] & 15 | (m[:, 4:] & 15) << 4], axis=1).astype(np.uint8)


def q2_k(blocks: Floats) -> list[Bytes]:
    q, s, m, d, e = with_offsets(blocks, 16, 2, 4)
    quarters = q.reshape(-1, 2, 4, 32)
    qs = sum(quarters[:, :, part] << 2 * part for part in range(4)).reshape(-1, 64).astype(np.uint8)
    return [(s | m << 4).astype(np.uint8), qs, halves(d), halves(e)]


def q3_k(blocks: Floats) -> list[Bytes]:
    q, s, d = signed(blocks, 3, 6)
    parts = (q + 4).reshape(-1, 2, 4, 32)
    qs = sum((parts[:, :, part] & 3) << 2 * part for part in range(4)).reshape(-1, 64).astype(np.uint8)
    high = sum((parts.reshape(-1, 8, 32)[:, part] >> 2) << part for part in range(8)).astype(np.uint8)
    s = s + 32
    low = s[:, :8] & 15 | (s[:, 8:] & 15) << 4
    upper = sum((s[:, 4 * part : 4 * part + 4] >> 4) << 2 * part for part in range(4))
    return [high, qs, np.concatenate([low, upper], axis=1).astype(np.uint8), halves(d)]


def nibbles(q: NDArray[np.int64]) -> Bytes:
    pairs = (q & 15).reshape(-1, 4, 2, 32)
    return (pairs[:, :, 0] | pairs[:, :, 1] << 4).reshape(-1, 128).astype(np.uint8)


def q4_k(blocks: Floats) -> list[Bytes]:
    q, s, m, d, e = with_offsets(blocks, 32, 4, 6)
    return [halves(d), halves(e), packed_scales(s, m), nibbles(q)]


def q5_k(blocks: Floats) -> list[Bytes]:
    q, s, m, d, e = with_offsets(blocks, 32, 5, 6)
    high = sum((q.reshape(-1, 8, 32)[:, part] >> 4) << part for part in range(8)).astype(np.uint8)
    return [halves(d), halves(e), packed_scales(s, m), high, nibbles(q)]


def q6_k(blocks: Floats) -> list[Bytes]:
    q, s, d = signed(blocks, 6, 8)
    parts = (q + 32).reshape(-1, 2, 4, 32)
    low = np.stack([parts[:, :, part] & 15 | (parts[:, :, part + 2] & 15) << 4 for part in range(2)], axis=2)
    high = sum((parts[:, :, part] >> 4) << 2 * part for part in range(4))
    return [
        low.reshape(-1, 128).astype(np.uint8), high.reshape(-1, 64).astype(np.uint8), s.astype(np.int8).view(np.uint8), halves(d),
    ]  # fmt: skip


TYPES: dict[str, Callable[[Floats], list[Bytes]]] = {"Q2_K": q2_k, "Q3_K": q3_k, "Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k}


def quantised_as(name: str, numbers: Floats) -> tuple[Bytes, Type]:
    data = np.concatenate(TYPES[name](numbers.reshape(-1, BLOCK)), axis=1).reshape(len(numbers), -1)
    return data, Type[name]


def main() -> None:
    checkpoint, name, file = sys.argv[1:]
    weights = load_file(Path(checkpoint) / "transformer" / "diffusion_pytorch_model.safetensors")
    tensors = {}
    for key, value in verified_transformer(weights).items():
        is_whole = value.ndim == 2 and value.shape[1] % BLOCK == 0
        tensors[key] = quantised_as(name, value.float().numpy()) if is_whole else quantised(value, Type.Q8_0)
        data, kind = tensors[key]
        if is_whole:
            read = gguf.dequantize(data, kind)
            error = np.linalg.norm(read - value.float().numpy()) / np.linalg.norm(value.float().numpy())
            if not error < 0.5:
                raise ValueError(f"{key} is off by {error:.0%} in {name}")
    write(Path(file), "flux", tensors)


if __name__ == "__main__":
    main()
