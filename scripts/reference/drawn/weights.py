"""The weights of drawn networks: the keys and shapes that a class has, and a size for each that keeps activations near one."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from drawn.stored import TensorRule
from single_files import original_autoencoder, original_transformer
from torch import nn

Rules = dict[str, TensorRule]

# In the folder's keys, and in those of the original repository.
GAINS = [
    (r"(norm1|norm1_context|norm|norm_out|modulation\w*)\.linear|_mod\.lin|modulation\w*\.lin|adaLN_modulation\.1", 0.7),
    (r"attn\.to_out(\.0)?|attn\.to_add_out|_attn\.proj", 2.0),
    (r"encoder\.conv_out", 6.0),
    (r"decoder\.conv_out", 0.35),
]
EMBEDDING = re.compile(r"(^|\.)(shared|embed_tokens|token_embedding|position_embedding)\.weight$")
WHOLE = ("position_ids", "num_batches_tracked")
RELATIVE = re.compile(r"relative_attention_bias\.weight$")
NORM_SCALE = re.compile(r"(\.scale|norm\w*\.weight|norm_[qk]\.weight)$")


def fill_of(key: str, shape: list[int]) -> str:
    """Give how a weight is filled, by its key in the file."""
    if key.endswith("position_ids"):
        return "i"
    if key.endswith("num_batches_tracked"):
        return "c0"
    if key.endswith("running_mean"):
        return "u-1"
    if key.endswith("bias"):
        return "u-3"
    if EMBEDDING.search(key) or RELATIVE.search(key):
        return "u0"
    if len(shape) == 1:
        return "n"
    gain = next((gain for pattern, gain in GAINS if re.search(rf"{pattern}\.weight$", key)), 1.0)
    inputs = math.prod(shape[1:])
    return f"u{round(math.log2(math.sqrt(3 / inputs) * gain))}"


def shapes_of(kind: type[nn.Module], config: Any) -> dict[str, list[int]]:
    """Give the keys and shapes of a class, whose weights are not made."""
    with torch.device("meta"):
        model = kind(config) if not isinstance(config, dict) else kind(**config)
    return {key: list(value.shape) for key, value in model.state_dict().items()}


def original_shapes(component: str, rules: Rules, levels: int = 0) -> dict[str, list[int]]:
    """Give the keys and shapes of the original repository, for the transformer or for an autoencoder of some levels."""
    meta = {key: torch.empty(shape, device="meta") for key, (_, shape, _) in rules.items()}
    original = original_transformer(meta) if component == "transformer" else original_autoencoder(meta, levels)
    return {key: list(value.shape) for key, value in original.items()}


def rules_of(shapes: dict[str, list[int]], dtype: str) -> Rules:
    return {
        key: ("I64" if key.endswith(WHOLE) else dtype, shape, fill_of(key, shape))
        for key, shape in shapes.items()
    }
