"""Gives FLUX.2 transformers the keys of the original repository, and lists those of the published models.

As in `single_files.py`, diffusers' converter turns everything that is written back, or the script fails.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from diffusers import Flux2Transformer2DModel
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from single_files import Tensors, assert_same

# Black Forest Labs' sizes: `Flux2Params`, `Klein9BParams` and `Klein4BParams` in `src/flux2/model.py` of their repository
# `flux2`, and for all else the defaults of diffusers' class. The published `config.json` files were not at hand.
PUBLISHED: dict[str, dict[str, Any]] = {
    "4B": {
        "num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680,
        "guidance_embeds": False,
    },
    "9B": {
        "num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288,
        "guidance_embeds": False,
    },
    "dev": {},
}  # fmt: skip

TOP = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_guidance_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_guidance_embed.timestep_embedder.linear_2",
    "guidance_in.in_layer": "time_guidance_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_guidance_embed.guidance_embedder.linear_2",
    "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
    "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
}
DOUBLE = {
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.linear_in",
    "img_mlp.2": "ff.linear_out",
    "txt_mlp.0": "ff_context.linear_in",
    "txt_mlp.2": "ff_context.linear_out",
}
DOUBLE_FUSED = {
    "img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
}
DOUBLE_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
SINGLE = {"linear1": "attn.to_qkv_mlp_proj", "linear2": "attn.to_out"}
SINGLE_NORMS = {"norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"}


def original_flux2(tensors: Tensors, norm: str = "scale") -> Tensors:
    """Give the original repository's keys; the last part of a norm's is `norm`, which ComfyUI's files have as weight."""
    rest, result = dict(tensors), {}

    def move(names: dict[str, str], old: str = "", new: str = "", kind: str = "weight") -> None:
        for original, name in names.items():
            if f"{old}{name}.weight" in rest:
                result[f"{new}{original}.{kind}"] = rest.pop(f"{old}{name}.weight")

    move(TOP)
    scale, shift = rest.pop("norm_out.linear.weight").chunk(2)
    result["final_layer.adaLN_modulation.1.weight"] = torch.cat([shift, scale])
    for index in block_indices(tensors, "transformer_blocks"):
        old, new = f"transformer_blocks.{index}.", f"double_blocks.{index}."
        move(DOUBLE, old, new)
        move(DOUBLE_NORMS, old, new, norm)
        for original, parts in DOUBLE_FUSED.items():
            result[f"{new}{original}.weight"] = torch.cat([rest.pop(f"{old}{part}.weight") for part in parts])
    for index in block_indices(tensors, "single_transformer_blocks"):
        old, new = f"single_transformer_blocks.{index}.", f"single_blocks.{index}."
        move(SINGLE, old, new)
        move(SINGLE_NORMS, old, new, norm)
    if rest:
        raise ValueError(f"These tensors have no place in the original layout: {', '.join(rest)}")
    assert_same(tensors, convert_flux2_transformer_checkpoint_to_diffusers(dict(result)))
    return result


def block_indices(tensors: Tensors, name: str) -> list[int]:
    return sorted({int(key.split(".")[1]) for key in tensors if key.startswith(f"{name}.")})


def shapes_of(tensors: Tensors) -> dict[str, list[int]]:
    """List key and shape; those of all blocks of a kind, which are alike, once with a star for the number."""
    shapes: dict[str, list[int]] = {}
    for key in sorted(tensors):
        name, shape = re.sub(r"blocks\.\d+\.", "blocks.*.", key), list(tensors[key].shape)
        if shapes.setdefault(name, shape) != shape:
            raise ValueError(f"{name} has the shapes {shapes[name]} and {shape}")
    return shapes


def published_table() -> dict[str, Any]:
    """List the keys and shapes of the published models in both layouts, made of their sizes without their weights."""
    table = {}
    for name, config in PUBLISHED.items():
        with torch.device("meta"):
            tensors = Flux2Transformer2DModel(**config).state_dict()
        table[name] = {
            "config": config,
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
            "tensors": len(tensors),
            "folder": shapes_of(tensors),
            "original": shapes_of(original_flux2(tensors)),
        }
    return table
