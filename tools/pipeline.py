"""Loads a checkpoint folder into diffusers' own pipeline and calls it as the engine works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quiet  # noqa: F401  (first)
import torch
from diffusers import FluxKontextPipeline
from PIL import Image


@dataclass(frozen=True)
class Edit:
    """One edit; sizes are multiples of twice the autoencoder's scale factor."""

    prompt: str
    width: int
    height: int
    seed: int
    steps: int
    guidance: float
    negative_prompt: str | None = None
    true_scale: float = 1.0


def load_pipeline(folder: Path, dtype: torch.dtype = torch.float32, **components: Any) -> FluxKontextPipeline:
    """Load a checkpoint folder without the network; `components` take the place of the folder's."""
    pipeline = FluxKontextPipeline.from_pretrained(str(folder), dtype=dtype, local_files_only=True, **components)
    pipeline.set_progress_bar_config(disable=True)
    if pipeline.vae.config.shift_factor is None:
        # The pipeline subtracts it without a check and fails on null, which means no shift.
        pipeline.vae.register_to_config(shift_factor=0.0)
    return pipeline


def text_length(pipeline: FluxKontextPipeline) -> int:
    """Give the number of T5 tokens; by default diffusers takes 512 whatever the checkpoint says."""
    return min(512, pipeline.tokenizer_2.model_max_length)


def run_edit(pipeline: FluxKontextPipeline, image: Image.Image, edit: Edit, **options: Any) -> Image.Image:
    """Edit an image without diffusers' own choice of sizes: neither image is rescaled."""
    result = pipeline(
        prompt=edit.prompt,
        image=image,
        width=edit.width,
        height=edit.height,
        max_area=edit.width * edit.height,
        _auto_resize=False,
        max_sequence_length=text_length(pipeline),
        generator=torch.Generator("cpu").manual_seed(edit.seed),
        num_inference_steps=edit.steps,
        guidance_scale=edit.guidance,
        negative_prompt=edit.negative_prompt,
        true_cfg_scale=edit.true_scale,
        **options,
    )
    return result.images[0]
