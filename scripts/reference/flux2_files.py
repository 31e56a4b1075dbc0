"""Writes a small FLUX.2 transformer as single files in the original layout, with the velocity of each file's weights."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from flux2_layouts import original_flux2
from flux2_transformer import CASES, first_velocity, made_up_model
from safetensors.torch import save_file
from single_files import PREFIX, Tensors, from_fp8, from_row_fp8, to_row_fp8, to_scaled_fp8
from torch import Tensor

CASE = next(case for case in CASES if case.name == "file")


def velocity(original: Tensors) -> Tensor:
    model = made_up_model(CASE)
    model.load_state_dict(convert_flux2_transformer_checkpoint_to_diffusers(dict(original)))
    return first_velocity(model, CASE)


@torch.no_grad()
def write_flux2_files(output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    tensors = made_up_model(CASE).state_dict()
    original = original_flux2(tensors)
    scaled = to_scaled_fp8(original_flux2(tensors, "weight"))
    rows = to_row_fp8(original)
    files = {
        "original": original,
        "comfy-fp8-scaled": {f"{PREFIX}{key}": value for key, value in scaled.items()},
        "fp8-rows": rows,
    }
    for name, values in files.items():
        save_file({key: value.contiguous().clone() for key, value in values.items()}, output / f"{name}.safetensors")
    velocities = {
        "original": velocity(original),
        "comfy-fp8-scaled": velocity(from_fp8(scaled)),
        "fp8-rows": velocity(from_row_fp8(rows)),
    }
    save_file(velocities, output / "velocities.safetensors")
