"""Draws where a component's weights are: in its folder, or in a single file, `.safetensors` or GGUF, in another layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from drawn.draw import Draw
from drawn.gguf_blocks import read_gguf
from drawn.gguf_draws import draw_gguf, gguf_file, gguf_weights, t5_weights
from drawn.stored import Files
from drawn.weight_files import weight_files
from drawn.weights import EMBEDDING, Rules, fill_of, original_shapes
from safetensors.torch import load_file
from single_files import MARKER, convert_autoencoder, convert_transformer, from_fp8
from torch import Tensor
from transformers import T5Config, T5EncoderModel

# Component -> the engine's name of the file, and the prefixes of its keys that are in circulation.
PREFIXES = {
    "transformer": ("transformer", ["", "model.diffusion_model.", "diffusion_model."]),
    "vae": ("vae", ["", "vae.", "first_stage_model."]),
    "text_encoder_2": ("textEncoder", ["", "text_encoders.t5xxl.transformer."]),
}
ENDINGS = ("safetensors", "gguf")
FP8 = "F8_E4M3"


def placed_files(draw: Draw, component: str, rules: Rules, levels: int = 0) -> Files:
    """Give the files of a component; one under `single/` is to be used in place of the folder's weights."""
    if draw_gguf(draw, component):
        return {f"single/{component}.gguf": gguf_file(draw, component, gguf_weights(component, rules))}
    _, prefixes = PREFIXES[component]
    prefix = draw.rarely(f"{component}.single_file", None, prefixes)
    if prefix is None:
        return weight_files(draw, component, rules)
    dtype = next(iter(rules.values()))[0]
    if component != "text_encoder_2":
        rules = {key: (dtype, shape, fill_of(key, shape)) for key, shape in original_shapes(component, rules, levels).items()}
    if component == "transformer":
        rules = in_fp8(draw, component, rules)
    tensors = {f"{prefix}{key}": rule for key, rule in rules.items()}
    return {f"single/{component}.safetensors": {"salt": component, "tensors": tensors}}


def in_fp8(draw: Draw, component: str, rules: Rules) -> Rules:
    """Store the matrices in 8 bits, rarely: all tensors alike, or as ComfyUI does, with a factor for each matrix but tables."""
    form = draw.rarely(f"{component}.fp8", None, ["plain", "scaled"])
    if form is None:
        return rules
    if form == "plain":
        return {key: (FP8, shape, fill) for key, (_, shape, fill) in rules.items()}
    result: Rules = {MARKER: (FP8, [2], "c0")}
    for key, (dtype, shape, fill) in rules.items():
        is_matrix = len(shape) == 2 and not EMBEDDING.search(key) and not key.startswith("lm_head.")
        result[key] = (FP8 if is_matrix else dtype, shape, fill)
        if is_matrix:
            result[f"{key.removesuffix('.weight')}.scale_weight"] = ("F32", [], "c0.75")
            result[f"{key.removesuffix('.weight')}.scale_input"] = ("F32", [], "c1")
    return result


def single_files(files: Files) -> dict[str, str]:
    """Give the single files by the engine's names."""
    paths = [(name, f"single/{component}.{ending}") for component, (name, _) in PREFIXES.items() for ending in ENDINGS]
    return {name: path for name, path in paths if path in files}


def load_components(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """Load what lies in single files: diffusers' converters, and then its classes."""
    components: dict[str, Any] = {}
    if "transformer" in files:
        model = FluxTransformer2DModel.from_config(FluxTransformer2DModel.load_config(folder / "transformer"))
        width = model.config.num_attention_heads * model.config.attention_head_dim
        tensors = from_fp8(read(folder / files["transformer"], "transformer"))
        model.load_state_dict(convert_transformer(tensors, width))
        components["transformer"] = model.eval()
    if "vae" in files:
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))
        tensors = read(folder / files["vae"], "vae")
        vae.load_state_dict(convert_autoencoder(tensors, len(vae.config.block_out_channels)))
        components["vae"] = vae.eval()
    if "textEncoder" in files:
        config = T5Config.from_pretrained(folder / "text_encoder_2")
        tensors = read(folder / files["textEncoder"], "text_encoder_2")
        if files["textEncoder"].endswith(".gguf"):
            tensors = t5_weights(tensors, config)
        components["text_encoder_2"] = T5EncoderModel.from_pretrained(
            None, config=config, state_dict=tensors, dtype=torch.float32
        ).eval()
    return components


def read(path: Path, component: str) -> dict[str, Tensor]:
    """Read a file's tensors, in float32 where they are no fp8."""
    return read_gguf(path) if path.suffix == ".gguf" else without_prefix(path, PREFIXES[component][1])


def without_prefix(path: Path, prefixes: list[str]) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors` file whose keys have one of the prefixes."""
    tensors = load_file(path)
    prefix = max((prefix for prefix in prefixes if next(iter(tensors)).startswith(prefix)), key=len)
    return {
        key.removeprefix(prefix): value if value.dtype == torch.float8_e4m3fn else value.float()
        for key, value in tensors.items()
    }
