"""Writes a Qwen3 encoder as the files that users have: one file with ComfyUI's names, its matrices in fp8, and a GGUF file
with llama.cpp's; and the key and shape of every tensor of the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import gguf
import torch
from gguf import GGMLQuantizationType
from gguf_files import quantised, to_torch, write
from qwen3_stages import ENCODERS, prompt_embeds
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

# The encoder that is written as such files, and its text.
NAME, IDS = "grouped", [3, 1, 4, 1, 5, 9, 2, 6]
# By the sizes that their model cards and configurations tell; the fields that shapes depend on.
PUBLISHED = {
    "Qwen3-4B": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
                 "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": True},
    "Qwen3-8B": {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
                 "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": False},
}  # fmt: skip


def llama_names(keys: list[str], num_layers: int) -> dict[str, str]:
    """Give the name that llama.cpp has for each of the network's keys."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, num_layers)
    return {key: names.get_name(key, try_suffixes=(".weight", ".bias")) for key in keys}


def per_layer(shapes: dict[str, list[int]], prefix: str, num_layers: int) -> dict[str, list[int]]:
    """Give one entry, with a star for the number, for tensors that all layers have in the same shape."""
    short = {key: shape for key, shape in shapes.items() if not key.startswith(prefix)}
    own = {key.removeprefix(f"{prefix}0."): shape for key, shape in shapes.items() if key.startswith(f"{prefix}0.")}
    for name, shape in own.items():
        if any(shapes.get(f"{prefix}{index}.{name}") != shape for index in range(num_layers)):
            raise ValueError(f"Not every layer has {name} in the shape {shape}.")
        short[f"{prefix}*.{name}"] = shape
    if len(short) - len(own) + num_layers * len(own) != len(shapes):
        raise ValueError("Layers have tensors that the first one lacks.")
    return short


def published(fields: dict[str, Any]) -> dict[str, Any]:
    """Give key and shape of every tensor, as transformers and as llama.cpp call them."""
    with torch.device("meta"):
        model = Qwen3ForCausalLM(Qwen3Config(**fields))
    weights = model.state_dict()
    if fields["tie_word_embeddings"]:
        del weights["lm_head.weight"]
    shapes = {key: list(value.shape) for key, value in weights.items()}
    count = fields["num_hidden_layers"]
    names = llama_names(list(shapes), count)
    llama = {names[key]: shape for key, shape in shapes.items()}
    return {
        "config": fields,
        "numTensors": len(shapes),
        "folder": per_layer(shapes, "model.layers.", count),
        "gguf": per_layer(llama, "blk.", count),
    }


def fp8(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the file that ComfyUI users have: matrices of linear layers in fp8, each with one factor beside it."""
    tensors: dict[str, Tensor] = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}
    for key, value in weights.items():
        if value.ndim == 2 and "embed_tokens" not in key and "lm_head" not in key:
            scale = value.float().abs().max() / 448
            tensors[key] = (value.float() / scale).to(torch.float8_e4m3fn)
            tensors[f"{key.removesuffix('weight')}scale_weight"] = scale
        else:
            tensors[key] = value
    return tensors


def widened(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give what the numbers of such a file stand for."""
    scales = {key: value for key, value in tensors.items() if key.endswith("scale_weight")}
    return {
        key: value.float() * scales.get(f"{key.removesuffix('weight')}scale_weight", 1)
        for key, value in tensors.items()
        if key not in scales and key != "scaled_fp8"
    }


def embeds_of(folder: Path, weights: dict[str, Tensor]) -> Tensor:
    model = Qwen3ForCausalLM(Qwen3Config.from_pretrained(folder)).eval()
    model.load_state_dict(weights)
    return prompt_embeds(model, IDS, ENCODERS[NAME].layers).contiguous()


def write_qwen3_files(output: Path) -> dict[str, Any]:
    """Write the files and what the reference reads of their numbers; give the published shapes."""
    folder = output / NAME
    weights = load_file(folder / "model.safetensors")
    scaled = fp8(weights)
    save_file(scaled, output / "fp8.safetensors")
    names = llama_names(list(weights), ENCODERS[NAME].config["num_hidden_layers"])
    tensors = {names[key]: quantised(value, GGMLQuantizationType.Q8_0) for key, value in weights.items()}
    read = to_torch(write(output / "llama.gguf", "qwen3", tensors))
    llama = {key: read[names[key]] for key in weights}
    expected = {"fp8": embeds_of(folder, widened(scaled)), "llama": embeds_of(folder, llama)}
    save_file(expected, output / "files.safetensors")
    return {name: published(fields) for name, fields in PUBLISHED.items()}
