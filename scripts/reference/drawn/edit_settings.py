"""Draws what an edit is asked for: texts, numbers and sizes."""

from __future__ import annotations

from typing import Any

import numpy
import torch
from diffusers import DiffusionPipeline
from drawn.draw import Draw
from numpy.typing import NDArray
from PIL import Image

PROMPTS = [
    "Make the red car blue", "a", "Exact same bluebird, same angle and posture, now perched on a cloud in outer space",
    "Remove the hat from the dog, then put a yellow balloon above the house and turn everything into snow", " x ",
    "Put the CAT on the table <|endoftext|> again", "It's RAINING; they're walking </s> away <pad>", "caf\u00e9 nai\u0308ve \ufb01ne",
    "\u03a3\u03a4\u039f\u03a3 \u039f\u03a3", "\u0130stanbul stra\u00dfe", "日本語のテキスト 🐦", "tab\tand\nnew  line\u3000wide\u200bzero", "<bluebird> and a red car <extra_id_0>",
    "3 buttons, 1,024 * 1.5", "the " * 60, "<BlueBird>red CAR", "ǅ ŉ ẞ ﷺ e\u0301\u0301", "<|startoftext|>a", "!", "?!...", "مرحبا שלום",
]  # fmt: skip
NEGATIVES = ["clouds", "a dark, blurred picture", "the " * 60, ""]
SIGMAS = [[1.0], [0.9, 0.4], [1.0, 0.75, 0.5, 0.25], [0.8, 0.8, 0.1], [0.25, 0.75]]


def draw_edit(draw: Draw, grid: int) -> dict[str, Any]:
    """Give the fields of an edit; `grid` is the side of a token in pixels."""
    edit: dict[str, Any] = {
        "prompt": draw.one_of("edit.prompt", PROMPTS),
        "prompt_2": draw.rarely("edit.prompt_2", None, PROMPTS),
        "max_sequence_length": draw.rarely("edit.max_sequence_length", None, [1, 7, 64, 512]),
        "negative_prompt": draw.one_of("edit.negative_prompt", [None, None, None, *NEGATIVES]),
        "true_cfg_scale": draw.number("edit.true_cfg_scale", 2.0, 1.0, 6.0),
        "guidance": draw.number("edit.guidance", 2.5, 0.0, 10.0),
        "steps": draw.one_of("edit.steps", [2, 1, 3, 4, 6]),
        "sigmas": draw.rarely("edit.sigmas", None, SIGMAS),
        "seed": draw.one_of("edit.seed", [1, 0, 42, 2**32 - 1, 2**32 + 5, 2**53 - 1]),
        "target": draw_size(draw, "target", grid, None),
    }
    edit["references"] = [draw_size(draw, "reference", grid, edit["target"])]
    return edit


def draw_size(draw: Draw, name: str, grid: int, same: list[int] | None) -> list[int]:
    """Give width and height in pixels; the second image mostly has the size of the first."""
    if same is not None and not draw.rarely("edit.reference_differs", False, [True]):
        return same
    sides = []
    for side in ("width", "height"):
        tokens = draw.one_of(f"edit.{name}.{side}", [3, 1, 2, 4, 5])
        cut = draw.rarely(f"edit.{name}.{side}_cut", 0, [1, 3])
        sides.append(tokens * grid - min(cut, grid - 1))
    return sides


def on_grid(size: list[int], grid: int) -> list[int]:
    """Give the whole tokens that an image covers."""
    return [-(-side // grid) * grid for side in size]


def padded(source: NDArray[numpy.uint8], grid: int) -> Image.Image:
    """Extend an image to whole tokens, by its edge."""
    width, height = on_grid([source.shape[1], source.shape[0]], grid)
    padding = ((0, height - source.shape[0]), (0, width - source.shape[1]), (0, 0))
    return Image.fromarray(numpy.pad(source, padding, mode="edge"))


def generator_of(pipeline: DiffusionPipeline, seed: int) -> torch.Generator | None:
    """Give the source of an edit's noise; the scheduler draws that of its steps from the global one, whatever it is given."""
    if pipeline.scheduler.config.stochastic_sampling:
        torch.manual_seed(seed)
        return None
    return torch.Generator("cpu").manual_seed(seed)
