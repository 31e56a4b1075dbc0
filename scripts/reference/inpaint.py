"""Edits inside masks by diffusers' inpainting pipelines: `FluxKontextInpaintPipeline` and `Flux2KleinInpaintPipeline`.

Each entry of CASES is an edit in the engine's own names. Pictures are drawn as in `cases.py`, masks as in `masks.py`. The
pipelines get both padded to whole tokens by repeating their edges, as the engine pads them, and then rescale nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import torch
from cases import draw_scene
from diffusers import Flux2KleinInpaintPipeline, FluxKontextInpaintPipeline
from diffusers.image_processor import VaeImageProcessor
from masks import draw_mask, tensor_of
from PIL import Image, ImageOps
import tools_folder  # noqa: F401  (first)
from klein_pipeline import load_klein
from pipeline import load_pipeline, text_length
from torch import Tensor

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
BASE: dict[str, Any] = {
    "size": [64, 64], "mask": "disc", "prompt": "Make the red car blue", "seed": 5, "numSteps": 4, "guidance": 2.5,
    "strength": 1.0,
}  # fmt: skip

KONTEXT: dict[str, dict[str, Any]] = {
    "plain": {"checkpoint": "plain"},
    "plain-strength": {"checkpoint": "plain", "strength": 0.6, "mask": "edge", "numSteps": 5, "seed": 6},
    "plain-odd-size": {"checkpoint": "plain", "size": [75, 58], "mask": "edge", "strength": 0.9},
    "plain-blur": {"checkpoint": "plain", "mask": "corner", "maskBlur": 6, "seed": 8},
    "plain-sigmas": {"checkpoint": "plain", "mask": "soft", "sigmas": [0.9, 0.5, 0.2], "strength": 0.7},
    "plain-negative": {"checkpoint": "plain", "mask": "bar", "negativePrompt": "blurred", "trueCfgScale": 2.0, "strength": 0.5},
    "plain-stochastic": {"checkpoint": "plain", "scheduler": {"stochastic_sampling": True}, "strength": 0.75},
    "plain-crop": {"checkpoint": "plain", "mask": "dots", "paddingMaskCrop": 6},
    "odd": {"checkpoint": "odd", "size": [48, 80], "mask": "corner", "strength": 0.8},
    "odd-crop-blur": {"checkpoint": "odd", "size": [72, 48], "mask": "edge", "paddingMaskCrop": 0, "maskBlur": 1.5, "strength": 0.55},
    "sharded": {"checkpoint": "sharded", "size": [96, 64], "mask": "soft", "strength": 0.3, "numSteps": 6},
    "shifted": {"checkpoint": "shifted", "mask": "edge", "strength": 0.75},
    "plain-reference": {"checkpoint": "plain", "reference": [64, 64]},
    "plain-wide-reference": {"checkpoint": "plain", "reference": [256, 64], "mask": "edge", "strength": 0.6, "numSteps": 5},
    "shifted-crop": {"checkpoint": "shifted", "size": [96, 64], "mask": "corner", "paddingMaskCrop": 32, "strength": 0.9},
}  # fmt: skip

KLEIN: dict[str, dict[str, Any]] = {
    "plain": {"checkpoint": "plain", "strength": 0.8},
    "plain-strength": {"checkpoint": "plain", "strength": 0.5, "mask": "edge", "seed": 9},
    "plain-crop": {"checkpoint": "plain", "mask": "dots", "paddingMaskCrop": 6},
    "plain-reference": {"checkpoint": "plain", "strength": 0.8, "reference": [48, 80]},
    "odd": {"checkpoint": "odd", "size": [80, 48], "mask": "soft", "guidance": 4.0, "strength": 0.6, "maskBlur": 2},
    "odd-odd-size": {"checkpoint": "odd", "size": [75, 58], "mask": "corner", "strength": 0.9},
    "double-only-crop": {"checkpoint": "double-only", "size": [64, 96], "mask": "corner", "paddingMaskCrop": 3, "maskBlur": 3},
    "nine": {"checkpoint": "nine", "mask": "edge", "strength": 0.7, "guidance": 3.0, "numSteps": 6},
}  # fmt: skip
KLEIN_TEXT_LENGTH = 32


def padded(image: Image.Image, grid: int) -> Image.Image:
    """Extend a picture to whole tokens by repeating its right and lower edges."""
    pixels = numpy.array(image)
    right, bottom = (-image.width % grid, -image.height % grid)
    widths = ((0, bottom), (0, right), (0, 0))[: pixels.ndim]
    return Image.fromarray(numpy.pad(pixels, widths, mode="edge"))


def inputs_of(pipeline: Any, case: dict[str, Any]) -> tuple[dict[str, Any], Image.Image, Image.Image]:
    """Give what both pipelines are called with, the picture and the mask as they are used."""
    grid = pipeline.vae_scale_factor * 2
    picture, mask = (padded(image, grid) for image in (draw_scene(*case["size"]), draw_mask(case["mask"], *case["size"])))
    if blur := case.get("maskBlur"):
        mask = pipeline.mask_processor.blur(mask, blur)
    fields = dict(pipeline.scheduler.config) | case.get("scheduler", {})
    pipeline.scheduler = type(pipeline.scheduler).from_config(fields)
    # As in `recipe.py`: the scheduler's steps draw from the global generator, after the latents.
    torch.manual_seed(case["seed"])
    call = {
        "image": picture, "mask_image": mask, "prompt": case["prompt"], "strength": case["strength"],
        "num_inference_steps": case["numSteps"], "guidance_scale": case["guidance"], "sigmas": case.get("sigmas"),
        "padding_mask_crop": case.get("paddingMaskCrop"), "image_reference": reference_of(case),
    }  # fmt: skip
    return call, picture, mask


def reference_of(case: dict[str, Any]) -> Image.Image | None:
    """Draw the second picture of a case, if it has one: other colours than the first one's."""
    size = case.get("reference")
    return size and ImageOps.invert(draw_scene(*size))


def laid_over(case: dict[str, Any], pipeline: Any, drawn: Image.Image, picture: Image.Image, mask: Image.Image) -> Image.Image:
    """Put a crop back; Kontext's pipeline does not, and klein's pastes the middle of what it drew without reducing it."""
    padding = case.get("paddingMaskCrop")
    if padding is None:
        return drawn
    region = pipeline.mask_processor.get_crop_region(mask, picture.width, picture.height, pad=padding)
    return VaeImageProcessor(vae_scale_factor=pipeline.vae_scale_factor * 2).apply_overlay(mask, picture, drawn, region)


def run_kontext(case: dict[str, Any]) -> dict[str, Tensor]:
    plain = load_pipeline(FIXTURES / "checkpoints" / case["checkpoint"])
    pipeline = FluxKontextInpaintPipeline(**{name: plain.components[name] for name in plain.components})
    pipeline.set_progress_bar_config(disable=True)
    call, picture, mask = inputs_of(pipeline, case)
    call |= {
        "negative_prompt": case.get("negativePrompt"), "true_cfg_scale": case.get("trueCfgScale", 1.0),
        "_auto_resize": False, "max_sequence_length": text_length(plain),
    }  # fmt: skip
    drawn, latents = with_latents(pipeline, call)
    return {"latents": latents, "picture": tensor_of(laid_over(case, pipeline, drawn, picture, mask))}


def run_klein_case(case: dict[str, Any]) -> dict[str, Tensor]:
    plain = load_klein(FIXTURES / "klein" / "checkpoints" / case["checkpoint"], class_name="Flux2KleinPipeline")
    pipeline = Flux2KleinInpaintPipeline(**plain.components, is_distilled=plain.config.is_distilled)
    pipeline.set_progress_bar_config(disable=True)
    call, picture, mask = inputs_of(pipeline, case)
    # The pipeline's own overlay is left out; `laid_over` says why.
    pipeline.image_processor.apply_overlay = lambda _mask, _image, drawn, _region: drawn
    drawn, latents = with_latents(pipeline, call | {"max_sequence_length": KLEIN_TEXT_LENGTH})
    return {"latents": latents, "picture": tensor_of(laid_over(case, pipeline, drawn, picture, mask))}


def with_latents(pipeline: Any, call: dict[str, Any]) -> tuple[Image.Image, Tensor]:
    """Run an edit; gives its picture and its last packed latents."""
    seen: list[Tensor] = []

    def keep(_: Any, __: int, ___: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(values["latents"])
        return values

    drawn = pipeline(**call, callback_on_step_end=keep).images[0]
    return drawn, seen[-1]


def inpaint_fixtures() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Give the cases by family and name, and by `family.name.tensor` latents and picture; sources and masks by kind and size."""
    tables = {"kontext": (KONTEXT, run_kontext), "klein": (KLEIN, run_klein_case)}
    table: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    for family, (cases, run) in tables.items():
        table[family] = {name: {**BASE, **case} for name, case in cases.items()}
        for name, case in table[family].items():
            width, height = case["size"]
            tensors[f"source.{width}x{height}"] = tensor_of(draw_scene(width, height))
            tensors[f"{case['mask']}.{width}x{height}"] = tensor_of(draw_mask(case["mask"], width, height))
            if reference := reference_of(case):
                tensors["reference.{}x{}".format(*case["reference"])] = tensor_of(reference)
            for key, value in run(case).items():
                tensors[f"{family}.{name}.{key}"] = value.detach().contiguous().clone()
    return table, tensors
