"""Half precision where it is fast: without AVX-512, a processor multiplies bfloat16 25 times slower than single precision."""

from __future__ import annotations

import torch


def has_fast_half(device: str) -> bool:
    return device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed(device: str) -> torch.autocast:
    """The context of a forward pass: bfloat16 where that is fast, else single precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=has_fast_half(device))
