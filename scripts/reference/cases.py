"""The edits whose every stage is recorded, and the images that they start from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy
from numpy.typing import NDArray
from PIL import Image
import tools_folder  # noqa: F401  (first)
from pipeline import Edit

TINY = "tiny"
TINY_PICTURE = "bluebird-128x128.png"
BLUEBIRD = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space"


@dataclass(frozen=True)
class Case:
    name: str
    checkpoint: str
    picture: str
    """File in `test/fixtures/pictures`; its size is the size of the reference."""
    edit: Edit
    kept_steps: list[int] | None = None
    """Steps whose latents are kept; all when None."""


SQUARE = Edit("Make the red car blue", width=64, height=64, seed=1, steps=4, guidance=2.5)
LONG_PROMPT = "Remove the hat from the dog, then put a yellow balloon above the house and turn everything into snow"

CASES = [
    Case("plain-square", "plain", "scene-64x64.png", SQUARE),
    Case("plain-other-size", "plain", "scene-96x64.png",
         Edit(LONG_PROMPT, width=64, height=80, seed=42, steps=5, guidance=3.5)),
    Case("plain-negative", "plain", "scene-64x64.png",
         Edit("Add a tree", width=64, height=64, seed=0, steps=4, guidance=2.5,
              negative_prompt="a dark, blurred picture", true_scale=2.0)),
    Case("odd-square", "odd", "scene-64x64.png",
         Edit("Make the red car blue", width=64, height=64, seed=7, steps=4, guidance=2.5)),
    Case("odd-other-size", "odd", "scene-48x80.png",
         Edit("", width=56, height=40, seed=2**32 + 5, steps=6, guidance=1.0)),
    Case("odd-negative", "odd", "scene-48x80.png",
         Edit("Put the CAT on the table <|endoftext|> again", width=48, height=80, seed=3, steps=4, guidance=2.5,
              negative_prompt="Low  quality", true_scale=2.0)),
    Case("sharded-square", "sharded", "scene-64x64.png",
         Edit("Turn it into a pencil drawing", width=64, height=64, seed=11, steps=4, guidance=0.0)),
    Case("sharded-other-size", "sharded", "scene-96x64.png",
         Edit(LONG_PROMPT, width=48, height=96, seed=12, steps=5, guidance=10.0)),
    Case("sharded-negative", "sharded", "scene-64x64.png",
         Edit("A cat", width=64, height=64, seed=13, steps=4, guidance=2.5,
              negative_prompt=LONG_PROMPT, true_scale=2.0)),
    Case("shifted-square", "shifted", "scene-64x64.png",
         Edit("Show the bird in a forest", width=64, height=64, seed=21, steps=6, guidance=4.0)),
    Case("shifted-other-size", "shifted", "scene-64x64.png",
         Edit(LONG_PROMPT, width=96, height=48, seed=22, steps=4, guidance=2.5)),
    Case("shifted-negative", "shifted", "scene-96x64.png",
         Edit("Add the moon", width=96, height=64, seed=23, steps=4, guidance=2.5,
              negative_prompt="clouds", true_scale=2.0)),
]  # fmt: skip

# The shipped checkpoint. Its edits have 28 steps, so only some of them are kept.
TINY_CASES = [
    Case("tiny-bluebird", TINY, TINY_PICTURE,
         Edit(BLUEBIRD, width=128, height=128, seed=1, steps=28, guidance=2.0), [1, 2, 14, 28]),
    Case("tiny-negative", TINY, TINY_PICTURE,
         Edit(BLUEBIRD, width=128, height=128, seed=1, steps=28, guidance=2.0,
              negative_prompt="a plain background", true_scale=2.0), [1, 2, 14, 28]),
]  # fmt: skip


def describe(case: Case, checkpoint_folder: str) -> dict[str, Any]:
    """Give a case as `cases.json` lists it, in the names of the engine's own options."""
    edit = asdict(case.edit)
    return {
        "name": case.name,
        "checkpoint": checkpoint_folder,
        "picture": f"pictures/{case.picture}",
        "prompt": edit["prompt"],
        "negativePrompt": edit["negative_prompt"],
        "trueCfgScale": edit["true_scale"],
        "width": edit["width"],
        "height": edit["height"],
        "seed": edit["seed"],
        "steps": edit["steps"],
        "guidance": edit["guidance"],
        "keptSteps": case.kept_steps or list(range(1, edit["steps"] + 1)),
    }


def draw_scene(width: int, height: int) -> Image.Image:
    """Draw a small image with slopes, edges and full colours; the same on every machine (integers only)."""
    rows, columns = numpy.mgrid[0:height, 0:width]
    pixels: NDArray[numpy.uint8] = numpy.zeros((height, width, 3), dtype=numpy.uint8)
    pixels[..., 0] = 40 + columns * 180 // width
    pixels[..., 1] = 60 + rows * 150 // height
    pixels[..., 2] = 230 - (rows + columns) * 120 // (width + height)
    disc = (columns - width // 3) ** 2 + (rows - height // 2) ** 2 < (min(width, height) // 4) ** 2
    pixels[disc] = (220, 30, 40)
    pixels[height * 2 // 3 : height * 2 // 3 + 6, width // 4 :] = (250, 240, 90)
    pixels[4:20, width - 18 : width - 6] = (0, 0, 0)
    pixels[(rows + columns) % 16 == 0] = (255, 255, 255)
    return Image.fromarray(pixels)
