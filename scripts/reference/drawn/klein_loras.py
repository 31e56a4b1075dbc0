"""Draws LoRAs of klein's transformer, in every naming that diffusers reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2Transformer2DModel
from drawn.draw import Draw
from drawn.lora_files import ALPHAS, RANKS, scalar
from drawn.stored import Files
from drawn.weights import Rules, shapes_of
from flux2_layouts import original_flux2
from flux2_loras import KOHYA_EXTRAS
from klein_pipeline import KleinPipeline

Shapes = dict[str, list[int]]

# Naming -> the prefix of its keys.
PEFT_PREFIXES = {
    "diffusers": "transformer.", "peft": "base_model.model.", "peft of the original": "base_model.model.",
    "original": "diffusion_model.",
}  # fmt: skip


def draw_klein_loras(draw: Draw, transformer: dict[str, Any]) -> tuple[list[dict[str, Any]], Files]:
    """Give the LoRAs of an edit, at most two, and their files."""
    own = shapes_of(Flux2Transformer2DModel, transformer)
    loras, files = [], {}
    for index in range(draw.one_of("loras", [0, 0, 0, 1, 1, 2])):
        name, file = f"lora.{index}", f"loras/lora{index}.safetensors"
        files[file] = {"salt": name, "tensors": lora_rules(draw, name, own)}
        loras.append({"file": file, "scale": draw.number(f"{name}.scale", 1.0, -1.5, 2.0)})
    return loras, files


def lora_rules(draw: Draw, name: str, own: Shapes) -> Rules:
    dtype = draw.one_of(f"{name}.dtype", ["F32", "BF16", "F16"])
    rank = draw.one_of(f"{name}.rank", RANKS)
    alpha = draw.one_of(f"{name}.alpha", ALPHAS)
    naming = draw.one_of(f"{name}.naming", [*PEFT_PREFIXES, "kohya"])
    rules: Rules = {}
    for layer, (rows, columns) in layers_of(naming, own).items():
        is_kohya = naming == "kohya"
        key = f"lora_unet_{layer.replace('.', '_')}" if is_kohya else f"{PEFT_PREFIXES[naming]}{layer}"
        down, up = ("lora_down", "lora_up") if is_kohya else ("lora_A", "lora_B")
        rules[f"{key}.{down}.weight"] = (dtype, [rank, columns], "u-2")
        rules[f"{key}.{up}.weight"] = (dtype, [rows, rank], "u-2")
        if is_kohya:  # the converter wants an alpha everywhere
            rules[f"{key}.alpha"] = scalar(alpha or 1.0)
    return rules


def layers_of(naming: str, own: Shapes) -> Shapes:
    """Give the matrices that a naming knows."""
    if naming in ("diffusers", "peft"):
        named = own
    else:
        meta = {key: torch.empty(shape, device="meta") for key, shape in own.items()}
        named = {key: list(value.shape) for key, value in original_flux2(meta).items()}
    layers = {key.removesuffix(".weight"): shape for key, shape in named.items() if len(shape) == 2}
    if naming == "peft":  # the converter wants no other layers under this prefix
        return {layer: shape for layer, shape in layers.items() if "_blocks." in layer}
    if naming == "kohya":
        return {layer: shape for layer, shape in layers.items() if "_blocks." in layer or layer in KOHYA_EXTRAS}
    return layers


def load_klein_loras(pipeline: KleinPipeline, folder: Path, loras: list[dict[str, Any]]) -> None:
    if not loras:
        return
    names = [f"lora{index}" for index in range(len(loras))]
    for name, lora in zip(names, loras):
        pipeline.load_lora_weights(str(folder / "loras"), weight_name=Path(lora["file"]).name, adapter_name=name)
    pipeline.set_adapters(names, [lora["scale"] for lora in loras])
