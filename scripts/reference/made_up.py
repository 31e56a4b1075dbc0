"""Weights and inputs that follow from their names, and outputs reduced to a few numbers: what a probe of a network is made of.

Every number follows from its name and index (`numbers`), so that the tests have the same ones without a file. An output
is reduced to a few sums with made-up factors, in which every value counts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor, nn

Fields = Mapping[str, Any]

# Sums that an output is reduced to.
NUM_SUMS = 8


def numbers(name: str, count: int) -> numpy.ndarray:
    """Give numbers of -1 to 1 that look random: a hash of the name, mixed with the index (MurmurHash3's finaliser)."""
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(2654435761) + numpy.uint32(value)
    x = (x ^ (x >> numpy.uint32(16))) * numpy.uint32(0x85EBCA6B)
    x = (x ^ (x >> numpy.uint32(13))) * numpy.uint32(0xC2B2AE35)
    return (x ^ (x >> numpy.uint32(16))).astype(numpy.float64) / 2**31 - 1


def made_up(name: str, *shape: int) -> Tensor:
    count = int(numpy.prod(shape))
    return torch.from_numpy(numbers(name, count).astype(numpy.float32)).reshape(shape)


@torch.no_grad()
def fill(model: nn.Module) -> None:
    """Give every parameter, and the statistics of a batch norm, numbers that keep activations near one."""
    for key, parameter in model.named_parameters():
        values = numbers(key, parameter.numel())
        if parameter.numel() == 0:
            continue
        if parameter.ndim > 1:
            values *= (3 / (parameter.numel() / parameter.shape[0])) ** 0.5
        elif key.endswith("weight"):  # the scale of a norm
            values = 1 + 0.4 * values
        else:
            values *= 0.2
        parameter.copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(parameter.shape))
    for key, buffer in model.named_buffers():
        values = numbers(key, buffer.numel())
        if key.endswith("running_mean"):
            buffer.copy_(torch.from_numpy(values * 0.2))
        elif key.endswith("running_var"):
            buffer.copy_(torch.from_numpy(1 + 0.4 * values))


def sums(output: Tensor) -> list[float]:
    """Reduce an output to a few numbers, each a sum of all its values with other factors."""
    values = output.double().flatten().numpy()
    if len(values) == 0 or not numpy.isfinite(values).all():
        raise ValueError("the output is empty or not finite")
    scale = len(values) ** 0.5
    return [float((values * numbers(f"sum {index}", len(values))).sum() / scale) for index in range(NUM_SUMS)]


def in_file(fields: Fields, read: Callable[[Path], Any]) -> Any:
    """Have a configuration read from its file, as loading a folder does."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(fields))
        return read(Path(folder))


def filled(model: nn.Module) -> Any:
    fill(model)
    return model.eval()
