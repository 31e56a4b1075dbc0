"""Draws transformers and text encoders as GGUF files, with the names of the original repository and of llama.cpp."""

from __future__ import annotations

from typing import Any

from drawn.draw import Draw
from drawn.gguf_blocks import BLOCKS
from drawn.weights import Rules, fill_of, original_shapes, shapes_of
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf_files import t5_names
from torch import Tensor
from transformers import T5Config, T5EncoderModel

# Component -> the architecture that its file names.
ARCHITECTURES = {"transformer": "flux", "text_encoder_2": "t5encoder", "text_encoder": "qwen3"}
TYPES = [*BLOCKS, "F16", "BF16", "F32"]
# Beside the type that most matrices have, as quantisers mix them.
OTHERS: list[list[str]] = [[], ["Q8_0", "F16"], ["BF16", "Q6_K", "F32"]]
# Columns of the matrices of networks in GGUF: whole blocks of every type.
SIDE = 256
NamedWeights = dict[str, tuple[str, list[int]]]
"""The name of each weight in the file, and its shape, by a key that says what it is."""
TABLES = ("shared.weight", "encoder.embed_tokens.weight")


def draw_gguf(draw: Draw, component: str) -> str | None:
    """Give the type of most matrices, or nothing for a component that is no GGUF file."""
    kind: str | None = draw.rarely(f"{component}.gguf", None, TYPES) if component in ARCHITECTURES else None
    return kind


def gguf_file(draw: Draw, component: str, weights: NamedWeights) -> dict[str, Any]:
    """Give the file; its vectors are in float32."""
    kind = draw_gguf(draw, component)
    others = draw.one_of(f"{component}.gguf_others", OTHERS)
    kinds = [kind, kind, *others]
    tensors: Rules = {}
    for number, (key, (name, shape)) in enumerate(weights.items()):
        dtype = str(kinds[number % len(kinds)]) if len(shape) == 2 else "F32"
        block_size, _ = GGML_QUANT_SIZES[GGMLQuantizationType[dtype]]
        tensors[name] = ("F16" if shape[-1] % block_size else dtype, shape, fill_of(key, shape))
    return {"salt": component, "gguf": ARCHITECTURES[component], "tensors": tensors}


def gguf_weights(component: str, rules: Rules) -> NamedWeights:
    """Give the weights of Kontext's transformer, or of T5."""
    if component == "transformer":
        return {key: (key, shape) for key, shape in original_shapes(component, rules).items()}
    shapes = {TABLES[0] if key in TABLES else key: shape for key, (_, shape, _) in rules.items()}
    num_layers = 1 + max(int(key.split(".")[2]) for key in shapes if ".block." in key)
    return {key: (name, shapes[key]) for key, name in t5_names(list(shapes), num_layers).items()}


def t5_weights(tensors: dict[str, Tensor], config: T5Config) -> dict[str, Tensor]:
    """Give a file's tensors under the keys of T5."""
    keys = [key for key in shapes_of(T5EncoderModel, config) if key != TABLES[1]]
    return {key: tensors[name] for key, name in t5_names(keys, config.num_layers).items()}
