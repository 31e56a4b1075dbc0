"""Writes LoRAs with the keys, ranks and types of those that are published for few steps of FLUX.1, and their velocities.

Hyper-SD (`Hyper-FLUX.1-dev-8steps-lora`, used at 0.125) adapts every matrix of the blocks, FLUX.1-Turbo-Alpha (at 1) those
around the blocks as well; both have diffusers' names, rank 64 and no alpha. They were trained for FLUX.1 [dev], whose
matrices are those of Kontext. The numbers are drawn. peft must be installed.
"""

from __future__ import annotations

from pathlib import Path

import tools_folder  # noqa: F401  (first)
import torch
from loras import Tensors, pair
from pipeline import load_pipeline
from safetensors.torch import save_file
from single_files import first_velocity

RANK = 64
USES: dict[str, tuple[torch.dtype, float]] = {"hyper": (torch.float32, 0.125), "turbo": (torch.bfloat16, 1.0)}
# Of the embedders of time, guidance and pooled text, neither file has any.
OUTSIDE = ("x_embedder.", "context_embedder.", "norm_out.linear.", "proj_out.")


def few_step_lora(name: str, model: Tensors, generator: torch.Generator) -> Tensors:
    result = {}
    for key, value in model.items():
        is_adapted = "transformer_blocks." in key or (name == "turbo" and key.startswith(OUTSIDE))
        if value.ndim != 2 or not is_adapted:
            continue
        down, up = pair(generator, value.shape, RANK)
        layer = f"transformer.{key.removesuffix('.weight')}"
        dtype, scale = USES[name]
        # As large as a LoRA of rank 4, at the strength that it is used with.
        result[f"{layer}.lora_A.weight"] = down.to(dtype)
        result[f"{layer}.lora_B.weight"] = (up * (4 / RANK) ** 0.5 / scale).to(dtype)
    return result


@torch.no_grad()
def write_few_step_loras(output: Path, checkpoint: Path, case: Tensors, guidance: float) -> None:
    """Write the LoRAs and their velocities beside those of `loras.py`; `case` is one of `checkpoint`."""
    model = load_pipeline(checkpoint).transformer.state_dict()
    velocities = {}
    for seed, (name, (_, scale)) in enumerate(USES.items()):
        tensors = few_step_lora(name, model, torch.Generator().manual_seed(200 + seed))
        save_file(tensors, output / f"{name}.safetensors", {"format": "pt"})
        pipeline = load_pipeline(checkpoint)
        pipeline.load_lora_weights(str(output), weight_name=f"{name}.safetensors", adapter_name=name)
        pipeline.set_adapters([name], [scale])
        velocities[name] = first_velocity(pipeline.transformer, case, guidance)
    save_file(velocities, output / "few-step-velocities.safetensors")
