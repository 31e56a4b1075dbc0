"""FLUX.2 [klein]: draws checkpoints and edits, and edits with diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from diffusers import Flux2KleinPipeline
from drawn.draw import Draw
from drawn.edit_settings import PROMPTS, SIGMAS, draw_size, generator_of, on_grid, padded
from drawn.image_networks import draw_scheduler
from drawn.klein_files import load_klein_components, single_klein
from drawn.klein_loras import draw_klein_loras, load_klein_loras
from drawn.klein_networks import draw_flux2, draw_flux2_autoencoder, draw_qwen
from drawn.qwen_folder import draw_qwen_tokenizer
from drawn.stored import Files, json_file, picture
from klein.checkpoints import model_index
from klein_pipeline import load_klein
from numpy.typing import NDArray
from safetensors.torch import load_file

Arrays = dict[str, NDArray[Any]]

KLEIN_PROMPTS = [
    *PROMPTS, "<think>\n\nhm</think>", "<|im_start|>system\nBe brief<|im_end|>", " trailing \n\n", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u00bd \u2460 x\u00b2",
]  # fmt: skip
# The file of an edit's own noise, as packed tokens.
LATENTS = "latents.safetensors"
# diffusers takes no picture with a shorter side.
SHORTEST_SIDE = 64


def draw_case(draw: Draw) -> tuple[dict[str, Any], Files]:
    """Give an edit, and the files that it is made with."""
    vocabulary, files = draw_qwen_tokenizer(draw)
    prompt_size, text_files = draw_qwen(draw, vocabulary)
    vae, vae_files = draw_flux2_autoencoder(draw)
    transformer, transformer_files = draw_flux2(draw, vae["latent_channels"], prompt_size)
    files |= text_files | vae_files | transformer_files | draw_scheduler(draw)
    files["model_index.json"] = json_file(model_index(draw_index(draw)))
    grid = 2 ** len(vae["block_out_channels"])
    loras, lora_files = draw_klein_loras(draw, transformer)
    edit = draw_edit(draw, grid) | {"grid": grid, "loras": loras, "files": single_klein(files), "latents": None}
    if draw.rarely("edit.latents", False, [True]):
        edit["latents"] = LATENTS
        width, height = on_grid(edit["target"], grid)
        shape = [width * height // grid**2, 4 * vae["latent_channels"]]
        files[LATENTS] = {"salt": "latents", "tensors": {"latents": ("F32", shape, "u1")}}
    return edit, files | lora_files


def draw_index(draw: Draw) -> dict[str, Any]:
    """Give the class of the pipeline, and whether it is distilled."""
    name = draw.one_of("index.class", ["Flux2KleinPipeline"] * 3 + ["Flux2KleinKVPipeline"])
    is_distilled = draw.one_of("index.is_distilled", [True, False])
    is_absent = draw.rarely("index.is_distilled.absent", False, [True])
    return {"_class_name": name} | ({} if is_absent else {"is_distilled": is_distilled})


def draw_edit(draw: Draw, grid: int) -> dict[str, Any]:
    """Give the fields of an edit; `grid` is the side of a token in pixels."""
    target = draw_size(draw, "target", grid, None)
    # Small tokens are many.
    count = draw.one_of("edit.references", [1, 0, 2, 3, 4])
    return {
        "prompt": draw.one_of("edit.prompt", KLEIN_PROMPTS),
        "prompt_2": None,
        "max_sequence_length": draw.one_of("edit.max_sequence_length", [32, None, 1, 12, 64, 100]),
        "negative_prompt": draw.rarely("edit.negative_prompt", None, ["clouds", "a dark, blurred picture"]),
        "true_cfg_scale": None,
        "guidance": draw.number("edit.guidance", 4.0, 0.0, 10.0),
        "steps": draw.one_of("edit.steps", [4, 1, 2, 3]),
        "sigmas": draw.rarely("edit.sigmas", None, SIGMAS),
        "seed": draw.one_of("edit.seed", [1, 0, 42, 2**32 - 1, 2**32 + 5, 2**53 - 1]),
        "target": target,
        "references": [draw_reference(draw, index, grid) for index in range(count if grid > 4 else min(count, 1))],
    }


def draw_reference(draw: Draw, index: int, grid: int) -> list[int]:
    """Give width and height in pixels of a picture."""
    sides = []
    for side in ("width", "height"):
        tokens = -(-SHORTEST_SIDE // grid) + draw.one_of(f"edit.reference.{index}.{side}", [0, 1, 2])
        cut = draw.rarely(f"edit.reference.{index}.{side}_cut", 0, [1, 3])
        sides.append(max(tokens * grid - min(cut, grid - 1), SHORTEST_SIDE))
    return sides


def sources_of(edit: Mapping[str, Any]) -> list[NDArray[numpy.uint8]]:
    """Give the images that are edited."""
    return [picture(*size, salt=f"{edit['seed']}/{index}") for index, size in enumerate(edit["references"])]


@torch.no_grad()
def run_case(folder: Path, edit: Mapping[str, Any]) -> Arrays:
    """Edit with diffusers; images whose sides are not whole tokens are padded first, by their edge."""
    pipeline = load_klein(folder, **load_klein_components(folder, edit["files"]))
    load_klein_loras(pipeline, folder, edit["loras"])
    width, height = on_grid(edit["target"], edit["grid"])
    kept: list[torch.Tensor] = []

    def keep(_: Any, __: int, ___: Any, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        kept[:] = [values["latents"]]
        return values

    length = edit["max_sequence_length"] or 512
    options: dict[str, Any] = {}
    if edit["latents"] is not None:
        tokens = load_file(folder / edit["latents"])["latents"]
        options["latents"] = tokens.T.reshape(1, -1, height // edit["grid"], width // edit["grid"])
    if isinstance(pipeline, Flux2KleinPipeline):  # the other class has none
        options["guidance_scale"] = edit["guidance"]
        if edit["negative_prompt"] is not None:
            embeds, _ = pipeline.encode_prompt(edit["negative_prompt"], max_sequence_length=length)
            options["negative_prompt_embeds"] = embeds
    result = pipeline(
        prompt=edit["prompt"],
        image=[padded(source, edit["grid"]) for source in sources_of(edit)] or None,
        width=width,
        height=height,
        max_sequence_length=length,
        generator=generator_of(pipeline, edit["seed"]),
        # The reference shifts levels that are given by this number, which has nothing to do with how many they are.
        num_inference_steps=len(edit["sigmas"] or []) or edit["steps"],
        sigmas=edit["sigmas"],
        callback_on_step_end=keep,
        **options,
    ).images[0]
    cropped = numpy.asarray(result)[: edit["target"][1], : edit["target"][0]]
    return {"latents": kept[0][0].float().numpy(), "picture": numpy.ascontiguousarray(cropped)}
