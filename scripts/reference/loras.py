"""Writes small LoRAs of the checkpoint `plain` in the ways of several trainers, and the velocities that diffusers gives.

The files are loaded by `load_lora_weights`. Its converters have the published sizes written into them, which are
exchanged; what they do with keys and rows stays theirs. peft must be installed.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import lora_conversion_utils, lora_pipeline
import tools_folder  # noqa: F401  (first)
from pipeline import load_pipeline
from safetensors.torch import save_file
from single_files import first_velocity, original_transformer
from torch import Tensor

Tensors = dict[str, Tensor]

# The files and scales of each velocity.
USES: dict[str, list[tuple[str, float]]] = {
    "none": [],
    "peft": [("peft", 1.0)],
    "kohya": [("kohya", 1.0)],
    "original": [("original", 1.0)],
    "control": [("control", 1.0)],
    "xlabs": [("xlabs", 1.0)],
    "peft-kohya": [("peft", 0.75), ("kohya", -0.5)],
}
RANKS = {"peft": 4, "kohya": 4, "original": 2, "control": 2, "xlabs": 2}


def pair(generator: torch.Generator, shape: torch.Size, rank: int) -> tuple[Tensor, Tensor]:
    """Draw A and B, large enough for every layer to show."""
    rows, columns = shape
    down = torch.randn(rank, columns, generator=generator) * columns**-0.5
    return down, torch.randn(rows, rank, generator=generator) * 0.3


def peft_lora(model: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt every matrix, as diffusers' own training scripts save it."""
    result = {}
    for key, value in model.items():
        if value.ndim == 2:
            name = f"transformer.{key.removesuffix('.weight')}"
            result[f"{name}.lora_A.weight"], result[f"{name}.lora_B.weight"] = pair(generator, value.shape, RANKS["peft"])
    return result


def kohya_lora(original: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt the blocks as sd-scripts does, in half precision, which it saves.

    Each has its alpha, which makes a factor that is a power of two: diffusers' converter rounds products to the half.
    """
    result = {}
    for index, (key, value) in enumerate(original.items()):
        if value.ndim == 2 and "_blocks." in key:
            name = f"lora_unet_{key.removesuffix('.weight').replace('.', '_')}"
            down, up = pair(generator, value.shape, RANKS["kohya"])
            dtype = torch.bfloat16 if "double" in key else torch.float16
            result[f"{name}.lora_down.weight"], result[f"{name}.lora_up.weight"] = down.to(dtype), up.to(dtype)
            result[f"{name}.alpha"] = torch.tensor(2.0 ** (index % 4))
    return result


def original_lora(original: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt the blocks and the output under the original repository's keys, with peft's prefix."""
    result = {}
    for key, value in original.items():
        if value.ndim == 2 and ("_blocks." in key or key.startswith("final_layer.linear.")):
            name = f"base_model.model.{key.removesuffix('.weight')}"
            down, up = pair(generator, value.shape, RANKS["original"])
            result[f"{name}.lora_A.weight"], result[f"{name}.lora_B.weight"] = down, up
    return result


def control_lora(original: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt every matrix as Black Forest Labs' own LoRAs do, which also contain the scales of the norms."""
    result = {}
    for key, value in original.items():
        if value.ndim == 2:
            name = key.removesuffix(".weight")
            down, up = pair(generator, value.shape, RANKS["control"])
            if name == "final_layer.adaLN_modulation.1":
                # diffusers swaps the halves of B, as it must, and also those of A, for no reason.
                down[1] = down[0]
            result[f"{name}.lora_A.weight"], result[f"{name}.lora_B.weight"] = down, up
        elif key.endswith("_norm.scale"):
            result[key] = value
    return result


def xlabs_lora(original: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt attention as XLabs does."""
    names = {
        "img_attn.qkv": "qkv_lora1", "img_attn.proj": "proj_lora1", "txt_attn.qkv": "qkv_lora2",
        "txt_attn.proj": "proj_lora2", "linear1": "qkv_lora", "linear2": "proj_lora",
    }  # fmt: skip
    result = {}
    for key, value in original.items():
        block, _, layer = key.removesuffix(".weight").partition("_blocks.")
        index, _, layer = layer.partition(".")
        if value.ndim != 2 or layer not in names:
            continue
        shape = torch.Size([3 * value.shape[1], value.shape[1]]) if layer == "linear1" else value.shape
        name = f"{block}_blocks.{index}.processor.{names[layer]}"
        down, up = pair(generator, shape, RANKS["xlabs"])
        result[f"{name}.down.weight"], result[f"{name}.up.weight"] = down, up
    return result


def with_sizes(name: str, width: int, double: int, single: int) -> Callable[[Tensors], Tensors]:
    """Give one of diffusers' converters for a model of another size."""
    source = inspect.getsource(getattr(lora_conversion_utils, name))
    sizes = {
        "inner_dim = 3072\n": f"inner_dim = {width}\n",
        "num_layers = 19\n": f"num_layers = {double}\n",
        "num_single_layers = 38\n": f"num_single_layers = {single}\n",
        "[3072, 3072, 3072, 12288]": f"[{width}, {width}, {width}, {4 * width}]",
    }
    for published, wanted in sizes.items():
        source = source.replace(published, wanted)
    if "3072" in source:
        raise ValueError(f"diffusers' {name} has changed: it names its width in another way")
    names: dict[str, Any] = dict(vars(lora_conversion_utils))
    exec(source, names)
    return names[name]


def patch_converters(original: Tensors) -> None:
    """Give diffusers' converters the sizes of a transformer in the original layout."""
    width = original["img_in.weight"].shape[0]
    double, single = (len({key.split(".")[1] for key in original if key.startswith(f"{kind}_blocks.")})
                      for kind in ("double", "single"))  # fmt: skip
    for kind in ("kohya_flux", "fal_kontext", "bfl_flux_control"):
        name = f"_convert_{kind}_lora_to_diffusers"
        setattr(lora_pipeline, name, with_sizes(name, width, double, single))


def write_loras(output: Path, checkpoint: Path, case: Tensors, guidance: float) -> None:
    """Write the LoRAs and their velocities; `case` is one of `checkpoint`."""
    output.mkdir(parents=True, exist_ok=True)
    model = load_pipeline(checkpoint).transformer.state_dict()
    original = original_transformer(model)
    makers = {
        "peft": peft_lora, "kohya": kohya_lora, "original": original_lora, "control": control_lora, "xlabs": xlabs_lora,
    }  # fmt: skip
    names = [key for key in model if key.endswith("proj_mlp.weight")]
    config = {
        "transformer.r": RANKS["peft"], "transformer.lora_alpha": 6,
        "transformer.alpha_pattern": {name.removesuffix(".weight"): 3 for name in names},
        "transformer.target_modules": [key.removesuffix(".weight") for key, value in model.items() if value.ndim == 2],
    }  # fmt: skip
    for seed, (name, make) in enumerate(makers.items()):
        tensors = make(model if name == "peft" else original, torch.Generator().manual_seed(seed))
        metadata = {"format": "pt"} | ({"lora_adapter_metadata": json.dumps(config)} if name == "peft" else {})
        save_file({key: value.contiguous() for key, value in tensors.items()}, output / f"{name}.safetensors", metadata)

    patch_converters(original)
    velocities = {}
    for name, uses in USES.items():
        pipeline = load_pipeline(checkpoint)
        for file, _ in uses:
            pipeline.load_lora_weights(str(output), weight_name=f"{file}.safetensors", adapter_name=file)
        if uses:
            pipeline.set_adapters([file for file, _ in uses], [scale for _, scale in uses])
        velocities[name] = first_velocity(pipeline.transformer, case, guidance)
    save_file(velocities, output / "velocities.safetensors")
