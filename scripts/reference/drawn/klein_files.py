"""Draws where the weights of klein's components are: in its folder, or in a single file, `.safetensors` or GGUF."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from drawn.draw import Draw
from drawn.gguf_blocks import read_gguf
from drawn.gguf_draws import NamedWeights, draw_gguf, gguf_file
from drawn.placed_files import ENDINGS, in_fp8, without_prefix
from drawn.stored import Files
from drawn.weight_files import weight_files
from drawn.weights import Rules, fill_of
from flux2_autoencoder import HALVES, original_layout
from flux2_layouts import original_flux2
from qwen3_files import llama_names
from single_files import Tensors, convert_autoencoder, from_fp8
from transformers import Qwen3Config, Qwen3ForCausalLM

# Component -> the engine's name of the file, and the prefixes of its keys that are in circulation.
PREFIXES = {
    "transformer": ("transformer", ["", "model.diffusion_model.", "diffusion_model."]),
    "vae": ("vae", ["", "vae.", "first_stage_model."]),
    "text_encoder": ("textEncoder", ["", "text_encoders.qwen3_4b.transformer.", "text_encoders.qwen3_8b."]),
}


LEVEL_ATTENTION = re.compile(r"^(en|de)coder\.(down|up)_blocks\.\d+\.attentions\.")


def is_single(draw: Draw, component: str) -> bool:
    """Tell whether a component lies in a file that is to be used in place of the folder's weights."""
    return draw_gguf(draw, component) is not None or draw_prefix(draw, component) is not None


def draw_prefix(draw: Draw, component: str) -> str | None:
    prefix: str | None = draw.rarely(f"{component}.single_file", None, PREFIXES[component][1])
    return prefix


def placed_klein(draw: Draw, component: str, rules: Rules) -> Files:
    """Give the files of a component; `rules` has the keys of diffusers or transformers."""
    if draw_gguf(draw, component):
        return {f"single/{component}.gguf": gguf_file(draw, component, gguf_names(draw, component, rules))}
    prefix = draw_prefix(draw, component)
    if prefix is None:
        return weight_files(draw, component, rules)
    # The text encoder's keys are the same in both, and attention between the levels has no place in the original.
    has_both = component != "text_encoder" and not any(LEVEL_ATTENTION.search(key) for key in rules)
    if has_both and draw.one_of(f"{component}.layout", ["original", "own"]) == "original":
        dtype = next(iter(rules.values()))[0]
        shapes = original_shapes_of(draw, component, rules)
        rules = {key: (dtype_of(key, dtype), shape, fill_of(key, shape)) for key, shape in shapes.items()}
    if component != "vae":
        rules = in_fp8(draw, component, rules)
    tensors = {f"{prefix}{key}": rule for key, rule in rules.items()}
    return {f"single/{component}.safetensors": {"salt": component, "tensors": tensors}}


def dtype_of(key: str, dtype: str) -> str:
    return "I64" if key.endswith("num_batches_tracked") else dtype


def original_shapes_of(draw: Draw, component: str, rules: Rules) -> dict[str, list[int]]:
    """Give the keys and shapes of the original repository."""
    meta = {key: torch.empty(shape, device="meta") for key, (_, shape, _) in rules.items()}
    if component == "transformer":
        original = original_flux2(meta, draw.one_of("transformer.norms", ["scale", "weight"]))
    else:
        original = original_layout(meta)
    return {key: list(value.shape) for key, value in original.items()}


def gguf_names(draw: Draw, component: str, rules: Rules) -> NamedWeights:
    if component == "transformer":
        return {key: (key, shape) for key, shape in original_shapes_of(draw, component, rules).items()}
    shapes = {key: shape for key, (_, shape, _) in rules.items() if not key.endswith("inv_freq")}
    return {key: (name, shapes[key]) for key, name in llama_names(list(shapes), layers_in(shapes)).items()}


def layers_in(shapes: dict[str, list[int]]) -> int:
    return 1 + max(int(key.split(".")[2]) for key in shapes if key.startswith("model.layers."))


def single_klein(files: Files) -> dict[str, str]:
    """Give the single files by the engine's names."""
    paths = [(name, f"single/{component}.{ending}") for component, (name, _) in PREFIXES.items() for ending in ENDINGS]
    return {name: path for name, path in paths if path in files}


def load_klein_components(folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """Load what lies in single files: diffusers' converters, and then its classes."""
    components: dict[str, Any] = {}
    if "transformer" in files:
        model = Flux2Transformer2DModel.from_config(Flux2Transformer2DModel.load_config(folder / "transformer"))
        tensors = from_fp8(read(folder / files["transformer"], "transformer"))
        is_own = any(key.startswith("x_embedder.") for key in tensors)
        model.load_state_dict(tensors if is_own else convert_flux2_transformer_checkpoint_to_diffusers(tensors))
        components["transformer"] = model.eval()
    if "vae" in files:
        vae = AutoencoderKLFlux2.from_config(AutoencoderKLFlux2.load_config(folder / "vae"))
        vae.load_state_dict(own_autoencoder(read(folder / files["vae"], "vae"), len(vae.config.block_out_channels)))
        components["vae"] = vae.eval()
    if "textEncoder" in files:
        config = Qwen3Config.from_pretrained(folder / "text_encoder")
        tensors = from_fp8(read(folder / files["textEncoder"], "text_encoder"))
        if files["textEncoder"].endswith(".gguf"):
            tensors = of_transformers(tensors, config)
        components["text_encoder"] = Qwen3ForCausalLM.from_pretrained(
            None, config=config, state_dict=tensors, dtype=torch.float32
        ).eval()
    return components


def read(path: Path, component: str) -> Tensors:
    """Read a file's tensors, in float32 where they are no fp8."""
    return read_gguf(path) if path.suffix == ".gguf" else without_prefix(path, PREFIXES[component][1])


def own_autoencoder(tensors: Tensors, levels: int) -> Tensors:
    """Give an autoencoder's tensors the keys of diffusers."""
    if any(".mid_block." in key for key in tensors):
        return tensors
    inside = {key: key.removeprefix(f"{half}.") for half, name in HALVES.items() for key in tensors if key.startswith(f"{half}.{name}.")}
    statistics = {key: value for key, value in tensors.items() if key.startswith("bn.")}
    rest = {key: value for key, value in tensors.items() if key not in inside and key not in statistics}
    return convert_autoencoder(rest, levels) | {own: tensors[key] for key, own in inside.items()} | statistics


def of_transformers(tensors: Tensors, config: Qwen3Config) -> Tensors:
    """Give the tensors of llama.cpp's file the keys of transformers."""
    with torch.device("meta"):
        keys = list(Qwen3ForCausalLM(config).state_dict())
    names = llama_names(keys, config.num_hidden_layers)
    return {key: tensors[name] for key, name in names.items() if name in tensors}
