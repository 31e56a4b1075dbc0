"""Edits with several images, which diffusers' pipeline does not take: its own loop and networks around other positions.

The positions are those of ComfyUI's reference latents methods `index` and `offset` (`comfy/ldm/flux/model.py`, `_forward`
and `process_img`), written here from what that code computes, in latent cells as it does. A stitched image is one image
for the pipeline, and needs no other positions.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from cases import draw_scene
from diffusers import FluxKontextPipeline
from PIL import Image
import tools_folder  # noqa: F401  (first)
from pipeline import Edit, load_pipeline, run_edit
from torch import Tensor

PATCH = 2
"""Latent cells along the side of a token."""


@dataclass(frozen=True)
class LayoutCase:
    name: str
    checkpoint: str
    layout: str
    pictures: list[tuple[int, int]]
    """Width and height of each; `draw_scene` draws them."""
    edit: Edit


THREE = [(64, 64), (96, 64), (48, 80)]
EDIT = Edit("Put the car of the second image into the first", width=64, height=80, seed=31, steps=4, guidance=2.5)

CASES = [
    LayoutCase("plain-index", "plain", "index", THREE, EDIT),
    LayoutCase("plain-offset", "plain", "offset", THREE, EDIT),
    LayoutCase("shifted-index", "shifted", "index", THREE[1:], EDIT),
    LayoutCase("shifted-offset", "shifted", "offset", [(64, 64), (48, 80), (64, 64), (96, 64)], EDIT),
    LayoutCase("plain-stitch", "plain", "stitch", [(64, 64), (96, 64)], EDIT),
]


class SeveralImages(FluxKontextPipeline):
    """The pipeline, with the images of `pictures` as references in place of the one it is called with."""

    pictures: list[Image.Image]
    layout: str
    image_ids: Tensor

    def prepare_latents(self, image: Tensor | None, *given: Any, **named: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        assert image is not None
        latents, _, latent_ids, _ = super().prepare_latents(None, *given, **named)
        packed, ids = [], []
        height = width = index = 0
        for picture in self.pictures:
            pixels = self.image_processor.preprocess(picture, picture.height, picture.width)
            reference = self._encode_vae_image(pixels, None)
            rows, columns = reference.shape[-2:]
            h_offset = w_offset = 0
            if self.layout == "index":
                index += 1
            else:
                index = 1
                if rows + height > columns + width:
                    w_offset = width
                else:
                    h_offset = height
                height = max(height, rows + h_offset)
                width = max(width, columns + w_offset)
            packed.append(self._pack_latents(reference, 1, reference.shape[1], rows, columns))
            ids.append(positions(index, (h_offset, rows), (w_offset, columns)))
        self.image_ids = torch.cat(ids)
        return latents, torch.cat(packed, dim=1), latent_ids, self.image_ids


def positions(index: int, down: tuple[int, int], across: tuple[int, int]) -> Tensor:
    """Give the positions [tokens, 3] of a reference from offset and cells along each side."""
    (first_row, rows), (first_column, columns) = (
        ((offset + PATCH // 2) // PATCH, (cells + PATCH // 2) // PATCH) for offset, cells in (down, across)
    )
    ids = torch.zeros(rows, columns, 3)
    ids[..., 0] = index
    ids[..., 1] += torch.linspace(first_row, rows - 1 + first_row, steps=rows)[:, None]
    ids[..., 2] += torch.linspace(first_column, columns - 1 + first_column, steps=columns)[None, :]
    return ids.reshape(rows * columns, 3)


def stitched(pictures: list[Image.Image]) -> Image.Image:
    """Set pictures of one height side by side."""
    whole = Image.new("RGB", (sum(picture.width for picture in pictures), pictures[0].height))
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width
    return whole


def run_case(folder: Path, case: LayoutCase) -> dict[str, Tensor]:
    """Give the references' positions (none where they are stitched) and the picture [height, width, 3]."""
    plain = load_pipeline(folder)
    pictures = [draw_scene(width, height) for width, height in case.pictures]
    if case.layout == "stitch":
        return {"picture": tensor_of(run_edit(plain, stitched(pictures), case.edit))}
    pipeline = SeveralImages(**plain.components)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.pictures, pipeline.layout = pictures, case.layout
    picture = run_edit(pipeline, pictures[0], case.edit)
    return {"ids": pipeline.image_ids, "picture": tensor_of(picture)}


def tensor_of(picture: Image.Image) -> Tensor:
    return torch.tensor(list(picture.tobytes()), dtype=torch.uint8).reshape(picture.height, picture.width, 3)


def layout_fixtures(checkpoints: Path) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """Give the cases, and by `name.tensor` what came of them."""
    tensors: dict[str, Tensor] = {}
    for case in CASES:
        for key, value in run_case(checkpoints / case.checkpoint, case).items():
            tensors[f"{case.name}.{key}"] = value.contiguous()
    return [asdict(case) for case in CASES], tensors
