"""FLUX.1 Kontext: draws checkpoints and edits, and edits with diffusers' own pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch
from drawn.draw import Draw
from drawn.edit_settings import draw_edit, generator_of, on_grid, padded
from drawn.image_networks import draw_autoencoder, draw_scheduler, draw_transformer
from drawn.lora_files import draw_loras, load_loras
from make_checkpoints import MODEL_INDEX
from numpy.typing import NDArray
from pipeline import load_pipeline, text_length
from drawn.stored import Files, json_file, picture
from drawn.placed_files import load_components, single_files
from drawn.text_networks import draw_clip, draw_t5
from drawn.tokenizer_folders import draw_clip_tokenizer, draw_t5_tokenizer

Arrays = dict[str, NDArray[Any]]


def draw_case(draw: Draw) -> tuple[dict[str, Any], Files]:
    """Give an edit, and the files that it is made with."""
    clip, clip_files = draw_clip_tokenizer(draw)
    t5, t5_files = draw_t5_tokenizer(draw)
    clip_sizes, clip_weights = draw_clip(draw, clip["vocabulary"], clip["length"], clip["end"])
    prompt_size, t5_weights = draw_t5(draw, t5["vocabulary"])
    vae, vae_files = draw_autoencoder(draw)
    transformer, transformer_files = draw_transformer(draw, vae["latent_channels"], prompt_size, clip_sizes["width"])
    files = {"model_index.json": json_file(MODEL_INDEX)} | draw_scheduler(draw)
    files |= clip_files | t5_files | clip_weights | t5_weights | vae_files | transformer_files
    grid = 2 ** len(vae["block_out_channels"])
    edit = draw_edit(draw, grid) | {"grid": grid}
    edit["loras"], lora_files = draw_loras(draw, transformer, clip_sizes)
    return edit | {"files": single_files(files)}, files | lora_files


def sources_of(edit: Mapping[str, Any]) -> list[NDArray[numpy.uint8]]:
    """Give the images that are edited: one."""
    return [picture(*edit["references"][0], salt=f"{edit['seed']}/0")]


@torch.no_grad()
def run_case(folder: Path, edit: Mapping[str, Any]) -> Arrays:
    """Edit with diffusers; images whose sides are not whole tokens are padded first, by their edge."""
    pipeline = load_pipeline(folder, **load_components(folder, edit["files"]))
    load_loras(pipeline, folder, edit["loras"])
    width, height = on_grid(edit["target"], edit["grid"])
    kept: list[torch.Tensor] = []

    def keep(_: Any, __: int, ___: Any, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        kept[:] = [values["latents"]]
        return values

    result = pipeline(
        prompt=edit["prompt"],
        prompt_2=edit["prompt_2"],
        image=padded(sources_of(edit)[0], edit["grid"]),
        width=width,
        height=height,
        max_area=width * height,
        _auto_resize=False,
        max_sequence_length=edit["max_sequence_length"] or text_length(pipeline),
        generator=generator_of(pipeline, edit["seed"]),
        num_inference_steps=edit["steps"],
        sigmas=edit["sigmas"],
        guidance_scale=edit["guidance"],
        negative_prompt=edit["negative_prompt"],
        true_cfg_scale=edit["true_cfg_scale"],
        callback_on_step_end=keep,
    ).images[0]
    cropped = numpy.asarray(result)[: edit["target"][1], : edit["target"][0]]
    return {"latents": kept[0][0].float().numpy(), "picture": numpy.ascontiguousarray(cropped)}
