"""Draws where a component's weights are: in its folder, or in a single file in the layout of the original repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from drawn.draw import Draw
from drawn.stored import Files
from drawn.weight_files import weight_files
from drawn.weights import Rules, fill_of
from safetensors.torch import load_file
from single_files import (
    MARKER, convert_autoencoder, convert_transformer, from_fp8, original_autoencoder, original_transformer,
)  # fmt: skip
from torch import Tensor
from transformers import T5Config, T5EncoderModel

# Component -> the engine's name of the file, and the prefixes of its keys that are in circulation.
PREFIXES = {
    "transformer": ("transformer", ["", "model.diffusion_model.", "diffusion_model."]),
    "vae": ("vae", ["", "vae.", "first_stage_model."]),
    "text_encoder_2": ("textEncoder", ["", "text_encoders.t5xxl.transformer."]),
}
FP8 = "F8_E4M3"


def placed_files(draw: Draw, component: str, rules: Rules, levels: int = 0) -> Files:
    """Give the files of a component; one under `single/` is to be used in place of the folder's weights."""
    _, prefixes = PREFIXES[component]
    prefix = draw.rarely(f"{component}.single_file", None, prefixes)
    if prefix is None:
        return weight_files(draw, component, rules)
    dtypes = {key: dtype for key, (dtype, _, _) in rules.items()}
    dtype = next(iter(dtypes.values()))
    if component != "text_encoder_2":
        meta = {key: torch.empty(shape, device="meta") for key, (_, shape, _) in rules.items()}
        original = original_transformer(meta) if component == "transformer" else original_autoencoder(meta, levels)
        shapes = {key: list(value.shape) for key, value in original.items()}
        rules = {key: (dtype, shape, fill_of(key, shape)) for key, shape in shapes.items()}
    if component == "transformer":
        rules = in_fp8(draw, rules)
    tensors = {f"{prefix}{key}": rule for key, rule in rules.items()}
    return {f"single/{component}.safetensors": {"salt": component, "tensors": tensors}}


def in_fp8(draw: Draw, rules: Rules) -> Rules:
    """Store the matrices in 8 bits, rarely: all tensors alike, or as ComfyUI does, with a factor for each matrix."""
    form = draw.rarely("transformer.fp8", None, ["plain", "scaled"])
    if form is None:
        return rules
    if form == "plain":
        return {key: (FP8, shape, fill) for key, (_, shape, fill) in rules.items()}
    result: Rules = {MARKER: (FP8, [2], "c0")}
    for key, (dtype, shape, fill) in rules.items():
        result[key] = (FP8 if len(shape) == 2 else dtype, shape, fill)
        if len(shape) == 2:
            result[f"{key.removesuffix('.weight')}.scale_weight"] = ("F32", [], "c0.75")
            result[f"{key.removesuffix('.weight')}.scale_input"] = ("F32", [], "c1")
    return result


def single_files(files: Files) -> dict[str, str]:
    """Give the single files by the engine's names."""
    paths = {name: f"single/{component}.safetensors" for component, (name, _) in PREFIXES.items()}
    return {name: path for name, path in paths.items() if path in files}


def load_components(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """Load what lies in single files: diffusers' converters, and then its classes."""
    components: dict[str, Any] = {}
    if "transformer" in files:
        model = FluxTransformer2DModel.from_config(FluxTransformer2DModel.load_config(folder / "transformer"))
        width = model.config.num_attention_heads * model.config.attention_head_dim
        tensors = from_fp8(without_prefix(folder / files["transformer"], "transformer"))
        model.load_state_dict(convert_transformer(tensors, width))
        components["transformer"] = model.eval()
    if "vae" in files:
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        tensors = without_prefix(folder / files["vae"], "vae")
        vae.load_state_dict(convert_autoencoder(tensors, len(vae.config.block_out_channels)))
        components["vae"] = vae.eval()
    if "textEncoder" in files:
        config = T5Config.from_pretrained(folder / "text_encoder_2")
        tensors = without_prefix(folder / files["textEncoder"], "text_encoder_2")
        components["text_encoder_2"] = T5EncoderModel.from_pretrained(
            None, config=config, state_dict=tensors, dtype=torch.float32
        ).eval()
    return components


def without_prefix(path: Path, component: str) -> dict[str, Tensor]:
    """Read a file's tensors, in float32 where they are no fp8."""
    tensors = load_file(path)
    prefix = max((prefix for prefix in PREFIXES[component][1] if next(iter(tensors)).startswith(prefix)), key=len)
    return {
        key.removeprefix(prefix): value if value.dtype == torch.float8_e4m3fn else value.float()
        for key, value in tensors.items()
    }
