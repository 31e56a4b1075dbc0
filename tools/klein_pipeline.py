"""Loads a checkpoint of FLUX.2 [klein] into diffusers' own pipeline and calls it as the engine works."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quiet  # noqa: F401  (first)
import torch
from diffusers import Flux2KleinKVPipeline, Flux2KleinPipeline
from PIL import Image

KleinPipeline = Flux2KleinPipeline | Flux2KleinKVPipeline

CLASSES = {"Flux2KleinPipeline": Flux2KleinPipeline, "Flux2KleinKVPipeline": Flux2KleinKVPipeline}


@dataclass(frozen=True)
class KleinEdit:
    """One edit. Without a size, diffusers chooses that of the first picture."""

    prompt: str
    seed: int
    steps: int
    width: int | None = None
    height: int | None = None
    guidance: float = 1.0
    text_length: int = 512


def load_klein(
    folder: Path, dtype: torch.dtype = torch.float32, class_name: str | None = None, **components: Any
) -> KleinPipeline:
    """Load a checkpoint folder without the network; `class_name` and `components` take the place of the folder's."""
    class_name = class_name or json.loads((folder / "model_index.json").read_text())["_class_name"]
    pipeline = CLASSES[class_name].from_pretrained(str(folder), dtype=dtype, local_files_only=True, **components)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def run_klein(pipeline: KleinPipeline, pictures: Sequence[Image.Image], edit: KleinEdit, **options: Any) -> Image.Image:
    """Edit pictures; each is cropped to whole tokens, and reduced to a megapixel if it has more."""
    if isinstance(pipeline, Flux2KleinPipeline):
        options["guidance_scale"] = edit.guidance  # the other class has none
    result = pipeline(
        prompt=edit.prompt,
        image=list(pictures) or None,
        width=edit.width,
        height=edit.height,
        max_sequence_length=edit.text_length,
        generator=torch.Generator("cpu").manual_seed(edit.seed),
        num_inference_steps=edit.steps,
        **options,
    )
    return result.images[0]
