"""Gives LoRAs of a small FLUX.2 transformer in the ways of several trainers, and the velocities that diffusers computes.

The numbers follow from the keys (`made_up.numbers`), so that only keys, shapes and alphas are written. peft must be
installed.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import Flux2Transformer2DModel
from diffusers.loaders.lora_pipeline import Flux2LoraLoaderMixin
from flux2_layouts import original_flux2
from flux2_transformer import CASES, first_velocity, made_up_model
from made_up import made_up
from torch import Tensor

Tensors = dict[str, Tensor]
Shapes = dict[str, torch.Size]

CASE = next(case for case in CASES if case.name == "guidance")
RANK = 2

# What diffusers' converter of sd-scripts' files knows beside the blocks.
KOHYA_EXTRAS = ("img_in", "txt_in", "time_in.in_layer", "time_in.out_layer", "final_layer.linear")


def pair(name: str, shape: torch.Size, down: str, up: str) -> Tensors:
    """Make up A and B, large enough for every layer to show."""
    rows, columns = shape
    return {
        f"{name}.{down}.weight": made_up(f"{name}.down", RANK, columns) * columns**-0.5,
        f"{name}.{up}.weight": made_up(f"{name}.up", rows, RANK) / 2,
    }


def adapt(layers: Shapes, prefix: str) -> Tensors:
    """Adapt every layer in peft's naming."""
    result: Tensors = {}
    for name, shape in layers.items():
        result |= pair(f"{prefix}{name}", shape, "lora_A", "lora_B")
    return result


def kohya(layers: Shapes) -> Tensors:
    """Adapt the layers that diffusers reads as sd-scripts names them, each with its alpha."""
    result: Tensors = {}
    for index, (layer, shape) in enumerate(layers.items()):
        if "_blocks." in layer or layer in KOHYA_EXTRAS:
            name = f"lora_unet_{layer.replace('.', '_')}"
            result |= pair(name, shape, "lora_down", "lora_up") | {f"{name}.alpha": torch.tensor(float(index % 3 + 1))}
    return result


def matrices(tensors: Tensors) -> Shapes:
    return {key.removesuffix(".weight"): value.shape for key, value in tensors.items() if value.ndim == 2}


def loras(model: Flux2Transformer2DModel) -> dict[str, Tensors]:
    own, original = matrices(model.state_dict()), matrices(original_flux2(model.state_dict()))
    blocks = {name: shape for name, shape in own.items() if "_blocks." in name}
    cut = {name.replace("transformer_blocks", "sformer_blocks") if name.startswith("transformer") else name: shape
           for name, shape in blocks.items()}  # fmt: skip
    return {
        "diffusers": adapt(own, "transformer."),
        "peft": adapt(blocks, "base_model.model."),
        "peft-original": adapt(original, "base_model.model."),
        "original": adapt(original, "diffusion_model."),
        "cut": adapt(cut, "diffusion_model."),
        "kohya": kohya(original),
    }


@torch.no_grad()
def lora_table() -> tuple[dict[str, Any], Tensors]:
    """Give the shapes and alphas of each file with the keys that diffusers makes of it, and its velocity."""
    table: dict[str, Any] = {}
    velocities = {}
    for name, tensors in loras(made_up_model(CASE)).items():
        model = made_up_model(CASE)
        converted = Flux2LoraLoaderMixin.lora_state_dict(dict(tensors))
        model.load_lora_adapter(converted, prefix="transformer")
        velocities[name] = first_velocity(model, CASE)
        table[name] = {
            "shapes": {key: list(tensor.shape) for key, tensor in tensors.items() if tensor.ndim == 2},
            "alphas": {key: tensor.item() for key, tensor in tensors.items() if tensor.ndim == 0},
            "layers": sorted({key.removeprefix("transformer.").rsplit(".lora_", 1)[0] for key in converted}),
        }
    return table, velocities
