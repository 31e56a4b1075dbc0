"""Edits new scenes and asks which of eleven pictures each result is nearest to: `python -m training.evaluate`.

The eleven are the right answer, the unchanged picture, and answers to nine other instructions for the same picture, four
of them of the same kind where it has so many. Guessing would be right once in eleven.
"""

from __future__ import annotations

import argparse
import json
from random import Random

import numpy as np
from diffusers import FluxKontextPipeline
from PIL import Image

from training.autoencoder import SIDE
from training.scenes import draw_edit, render
from training.scenes.edits import KINDS, Edit
from training.sheet import edit as run_edit

ASKED = ("place", "background", "style", "recolour", "weather", "support", "remove", "add", "replace")
MANY_ANSWERS = ("place", "background", "style", "recolour", "replace")  # the others have fewer than five for one picture


def candidates(edit: Edit, random: Random) -> list[Image.Image]:
    """The right answer first, then the unchanged picture, then nine others."""
    scenes = [edit.after, edit.before]
    while len(scenes) < 11:
        kind = edit.kind if len(scenes) < 6 and edit.kind in MANY_ANSWERS else random.choice(ASKED)
        _, other = KINDS[kind][0](edit.before, random)
        if other not in scenes:
            scenes.append(other)
    return [render(scene, SIDE) for scene in scenes]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--checkpoint", default="checkpoints/tiny")
    parser.add_argument("--each", type=int, default=10, help="scenes of each kind")
    parser.add_argument("--guidance", type=float, default=2.0)
    arguments = parser.parse_args()

    pipeline = FluxKontextPipeline.from_pretrained(arguments.checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    right: dict[str, int] = {}
    for kind in ASKED:
        right[kind] = 0
        for number in range(arguments.each):
            random = Random(f"evaluation {kind} {number}")
            edit = draw_edit(random, kind)
            pictures = candidates(edit, random)
            result = run_edit(pipeline, render(edit.before, SIDE), edit.instruction, number, arguments.guidance)
            distances = [np.abs(np.asarray(result, np.float32) - np.asarray(p, np.float32)).mean() for p in pictures]
            right[kind] += int(np.argmin(distances) == 0)
        print(json.dumps({"kind": kind, "right": right[kind], "of": arguments.each}), flush=True)


if __name__ == "__main__":
    main()
