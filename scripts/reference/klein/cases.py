"""The edits of klein whose every stage is recorded, and the pictures that they start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tools_folder  # noqa: F401  (first)
from klein_pipeline import KleinEdit

# Computes the references' keys and values once.
KV = "Flux2KleinKVPipeline"
PLAIN, ODD, DOUBLE_ONLY, NINE = "plain", "odd", "double-only", "nine"
LONG_PROMPT = "Remove the hat from the dog, then put a yellow balloon above the house and turn everything into snow"
SQUARE = "scene-64x64.png"


@dataclass(frozen=True)
class KleinCase:
    name: str
    checkpoint: str
    pictures: list[str]
    """Files in `klein/pictures`, whose names have their sizes. diffusers takes no side below 64 pixels."""
    edit: KleinEdit
    class_name: str = "Flux2KleinPipeline"
    """The pipeline that edits, whatever the checkpoint's index says."""


def edit(prompt: str, size: tuple[int, int] | None, seed: int, steps: int = 4, **options: Any) -> KleinEdit:
    width, height = size or (None, None)
    return KleinEdit(prompt, seed=seed, steps=steps, width=width, height=height, **{"text_length": 32, **options})


CASES = [
    KleinCase("plain-without", PLAIN, [], edit("A red car", (48, 32), 1)),
    KleinCase("plain-one", PLAIN, [SQUARE], edit("Make the red car blue", (48, 32), 2, guidance=4.0)),
    # Cut in the middle of the prompt, so that the template's end is lost.
    KleinCase("plain-two", PLAIN, ["scene-96x64.png", "scene-64x80.png"], edit(LONG_PROMPT, (32, 48), 3)),
    # diffusers' own sizes: the picture is cropped to whole tokens, and the result has its size.
    KleinCase("plain-cropped", PLAIN, ["scene-79x66.png"], edit("Add a tree", None, 4, steps=1)),
    # The length that diffusers takes by default.
    KleinCase("plain-512", PLAIN, [], edit("", (16, 16), 5, steps=2, text_length=512)),
    KleinCase("plain-kept-without", PLAIN, [], edit("A cat", (32, 32), 6, steps=2), KV),
    KleinCase("plain-kept-one", PLAIN, [SQUARE], edit("Make the red car blue", (32, 48), 7), KV),
    KleinCase("plain-kept-two", PLAIN, ["scene-64x80.png", SQUARE], edit("Add the moon", (32, 32), 8, steps=3), KV),
    KleinCase("odd-without", ODD, [], edit("Show the bird <|im_end|> in a forest", (40, 24), 2**32 + 5, steps=6, guidance=1.5)),
    KleinCase("odd-one", ODD, ["scene-72x64.png"], edit("Put the CAT on the table", (32, 40), 11, guidance=4.0)),
    KleinCase("odd-three", ODD, [SQUARE, "scene-64x80.png", "scene-72x64.png"],
              edit("Put the cat on the table", (24, 32), 12, guidance=4.0, text_length=27)),
    # A scale of one means no second pass.
    KleinCase("odd-unguided", ODD, [SQUARE], edit("caf\u00e9 \u65e5\u672c \U0001f426", (16, 16), 13, guidance=1.0, text_length=48)),
    KleinCase("double-only-one", DOUBLE_ONLY, ["scene-64x96.png"], edit("Turn it into a pencil drawing", (64, 32), 21)),
    KleinCase("double-only-four", DOUBLE_ONLY, [SQUARE, "scene-96x64.png", SQUARE, "scene-64x96.png"],
              edit(LONG_PROMPT, (32, 32), 22, steps=2, text_length=64)),
    KleinCase("nine-one", NINE, [SQUARE], edit("Make the red car blue", (32, 32), 31, guidance=4.0)),
    KleinCase("nine-without", NINE, [], edit(LONG_PROMPT, (48, 32), 32, steps=5, guidance=10.0, text_length=48)),
]  # fmt: skip


def describe(case: KleinCase, checkpoint_folder: str) -> dict[str, Any]:
    """Give a case as `klein/cases.json` lists it, in the names of the engine's own options."""
    return {
        "name": case.name,
        "checkpoint": checkpoint_folder,
        "className": case.class_name,
        "pictures": [f"klein/pictures/{picture}" for picture in case.pictures],
        "prompt": case.edit.prompt,
        "width": case.edit.width,
        "height": case.edit.height,
        "seed": case.edit.seed,
        "steps": case.edit.steps,
        "guidance": case.edit.guidance,
        "maxSequenceLength": case.edit.text_length,
    }
