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
from peft import PeftModel
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
    "patterns": [("patterns", 1.0)],
    "alphas": [("alphas", 1.0)],
    "dora": [("dora", 1.0)],
    "text": [("text", 0.5)],
    "peft-dora-kohya": [("peft", 1.0), ("dora", -0.5), ("kohya", 0.5)],
    "control-peft": [("control", 0.0), ("peft", 1.0)],
}
RANKS = {"peft": 4, "kohya": 4, "original": 2, "control": 2, "xlabs": 2}
# A few layers of every kind, for what does not depend on the layer.
FEW = [
    "transformer_blocks.0.attn.to_q", "transformer_blocks.1.ff.net.2", "single_transformer_blocks.0.proj_out",
    "single_transformer_blocks.1.attn.to_k", "norm_out.linear", "proj_out",
]  # fmt: skip
# Its keys are ends of layers' names, and regular expressions; the first that fits counts.
PATTERNS = {
    "transformer.r": 2, "transformer.lora_alpha": 5, "transformer.use_rslora": True, "transformer.target_modules": FEW,
    "transformer.rank_pattern": {r"single_transformer_blocks\.\d+\.attn\.to_[kq]": 3},
    "transformer.alpha_pattern": {"proj_out": 1, r"^single_transformer_blocks\.0\.proj_out": 9, r".*\.net\.\d": 7},
}  # fmt: skip


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


def few_lora(model: Tensors, generator: torch.Generator, ranks: dict[str, int]) -> Tensors:
    """Adapt a few layers in diffusers' own naming."""
    result = {}
    for name in FEW:
        key = f"transformer.{name}"
        matrices = pair(generator, model[f"{name}.weight"].shape, ranks.get(name, 2))
        result[f"{key}.lora_A.weight"], result[f"{key}.lora_B.weight"] = matrices
    return result


def patterns_lora(model: Tensors, generator: torch.Generator) -> Tensors:
    """Leave ranks and strengths to the configuration's patterns."""
    return few_lora(model, generator, {"single_transformer_blocks.1.attn.to_k": 3})


def alphas_lora(model: Tensors, generator: torch.Generator) -> Tensors:
    """Give some layers alphas, of several types and shapes: the others have the first, and proj_out's is a pattern."""
    result = few_lora(model, generator, {})
    result["transformer.norm_out.linear.alpha"] = torch.tensor(3.0, dtype=torch.float64)
    result["transformer.proj_out.alpha"] = torch.tensor([1.0])
    result["transformer.single_transformer_blocks.0.proj_out.alpha"] = torch.tensor(16.0)
    result["transformer.transformer_blocks.0.attn.to_q.alpha"] = torch.tensor(5.0, dtype=torch.bfloat16)
    return result


def dora_lora(model: Tensors, generator: torch.Generator) -> Tensors:
    """Bring the rows of a few layers to other lengths."""
    result = few_lora(model, generator, {"proj_out": 1})
    for name in FEW:
        lengths = model[f"{name}.weight"].norm(dim=1)
        result[f"transformer.{name}.lora_magnitude_vector"] = lengths * (
            1 + 0.3 * torch.randn(lengths.shape, generator=generator)
        )
    return result


def text_lora(text: Tensors, generator: torch.Generator) -> Tensors:
    """Adapt the text encoder as sd-scripts does, and with it one layer of the transformer's blocks."""
    result = {}
    for index, name in enumerate(["self_attn_q_proj", "self_attn_out_proj", "mlp_fc1", "mlp_fc2"]):
        block, layer = index % 2, name.replace("attn_", "attn.").replace("mlp_", "mlp.")
        key = f"lora_te1_text_model_encoder_layers_{block}_{name}"
        down, up = pair(generator, text[f"encoder.layers.{block}.{layer}.weight"].shape, 2)
        result[f"{key}.lora_down.weight"], result[f"{key}.lora_up.weight"] = down, up
        result[f"{key}.alpha"] = torch.tensor(index + 1)
    down, up = pair(generator, torch.Size([24, 24]), 2)
    key = "lora_unet_double_blocks_0_img_attn_proj"
    result[f"{key}.lora_down.weight"], result[f"{key}.lora_up.weight"] = down, up
    result[f"{key}.alpha"] = torch.tensor(4.0)
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
    """Adapt every matrix as Black Forest Labs' own LoRAs do, which also contain biases and the scales of the norms."""
    result = {}
    for key, value in original.items():
        if value.ndim == 2:
            name = key.removesuffix(".weight")
            # diffusers swaps the halves of the last norm's B, as it must, and also those of A.
            down, up = pair(generator, value.shape, RANKS["control"])
            result[f"{name}.lora_A.weight"], result[f"{name}.lora_B.weight"] = down, up
            result[f"{name}.lora_B.bias"] = torch.randn(value.shape[0], generator=generator) * 0.05
        elif key.endswith("_norm.scale"):
            result[key] = value * 1.25
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


def folder_velocity(folder: Path, checkpoint: Path, case: Tensors, guidance: float) -> Tensor:
    """Write peft's own folder, whose strength is in the configuration beside the weights, and give its velocity."""
    folder.mkdir(exist_ok=True)
    transformer = load_pipeline(checkpoint).transformer
    generator = torch.Generator().manual_seed(100)
    tensors = few_lora(transformer.state_dict(), generator, {"proj_out": 1})
    tensors = {key.replace("transformer.", "base_model.model.", 1): value for key, value in tensors.items()}
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA", "r": 2, "lora_alpha": 8, "rank_pattern": {"^proj_out": 1}, "target_modules": FEW,
        "alpha_pattern": {"attn.to_[qk]": 3}, "exclude_modules": ["net.2"], "lora_dropout": 0.1, "inference_mode": True,
    }  # fmt: skip
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = PeftModel.from_pretrained(transformer, str(folder))
    return first_velocity(model.base_model.model, case, guidance)


def patch_converters(original: Tensors) -> None:
    """Give diffusers' converters the sizes of a transformer in the original layout."""
    width = original["img_in.weight"].shape[0]
    double, single = (len({key.split(".")[1] for key in original if key.startswith(f"{kind}_blocks.")})
                      for kind in ("double", "single"))  # fmt: skip
    for kind in ("kohya_flux", "fal_kontext", "bfl_flux_control"):
        name = f"_convert_{kind}_lora_to_diffusers"
        setattr(lora_pipeline, name, with_sizes(name, width, double, single))


@torch.no_grad()
def write_loras(output: Path, checkpoint: Path, case: Tensors, guidance: float) -> None:
    """Write the LoRAs and their velocities; `case` is one of `checkpoint`."""
    output.mkdir(parents=True, exist_ok=True)
    model = load_pipeline(checkpoint).transformer.state_dict()
    original = original_transformer(model)
    text = load_pipeline(checkpoint).text_encoder.state_dict()
    text = {key.removeprefix("text_model."): value for key, value in text.items()}
    makers = {
        "peft": (peft_lora, model), "kohya": (kohya_lora, original), "original": (original_lora, original),
        "control": (control_lora, original), "xlabs": (xlabs_lora, original), "patterns": (patterns_lora, model),
        "alphas": (alphas_lora, model), "dora": (dora_lora, model), "text": (text_lora, text),
    }  # fmt: skip
    names = [key for key in model if key.endswith("proj_mlp.weight")]
    config = {
        "transformer.r": RANKS["peft"], "transformer.lora_alpha": 6,
        "transformer.alpha_pattern": {name.removesuffix(".weight"): 3 for name in names},
        "transformer.target_modules": [key.removesuffix(".weight") for key, value in model.items() if value.ndim == 2],
    }  # fmt: skip
    configs = {"peft": config, "patterns": PATTERNS}
    for seed, (name, (make, weights)) in enumerate(makers.items()):
        tensors = make(weights, torch.Generator().manual_seed(seed))
        own = {"lora_adapter_metadata": json.dumps(configs[name])} if name in configs else {}
        tensors = {key: value.contiguous() for key, value in tensors.items()}
        save_file(tensors, output / f"{name}.safetensors", {"format": "pt"} | own)

    patch_converters(original)
    velocities = {}
    for name, uses in USES.items():
        pipeline = load_pipeline(checkpoint)
        for file, _ in uses:
            pipeline.load_lora_weights(str(output), weight_name=f"{file}.safetensors", adapter_name=file)
        if uses:
            pipeline.set_adapters([file for file, _ in uses], [scale for _, scale in uses])
        velocities[name] = first_velocity(pipeline.transformer, case, guidance)
        pooled = pipeline.text_encoder(case["clipTokenIds"][None]).pooler_output
        if name in {"none", "text"}:
            velocities[f"{name}.pooled"] = pooled.contiguous().clone()
    folder = output / "folder"
    velocities["folder"] = folder_velocity(folder, checkpoint, case, guidance)
    save_file(velocities, output / "velocities.safetensors")
