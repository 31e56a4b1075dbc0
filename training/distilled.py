"""Compares one guided pass with the teacher's two: `python -m training.distilled [--checkpoint FOLDER]`, after the guidance phase.

For new scenes and the same noise, the pictures after 28 steps of the distilled model at guidance g and of the teacher's true
guidance at the scale that g stands for; in dB, per g. Beside it, what the teacher's scale does to the answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

import torch

from training import autoencoder
from training.editor.model import true_scale
from training.run import DEFAULT_SIDE, Run
from training.sampling import Sampler, networks, pictures
from training.scenes.edits import draw_edit

GUIDANCES = (0.0, 1.0, 2.0, 3.5, 5.0, 10.0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.distilled", description=__doc__)
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint folder, its own teacher, instead of the saved training")
    parser.add_argument("--side", type=int, default=DEFAULT_SIDE, help="of the saved training's images (default %(default)s)")
    arguments = parser.parse_args()

    random = Random("distilled")
    edits = [draw_edit(random, shape="square") for _ in range(arguments.scenes)]
    made = networks(arguments.checkpoint, arguments.side)
    if not made.is_distilled:
        raise SystemExit("There is no distilled model yet: the guidance phase has not begun.")
    run = Run(made.side)
    sampler = Sampler(made, edits)
    truth = pictures([edit.after for edit in edits], made.side)

    for guidance in GUIDANCES:
        scale = true_scale(torch.tensor(guidance)).item()
        one, two = sampler.one_pass(guidance), sampler.two_passes(scale)
        figures = {
            "guidance": guidance, "scale": scale, "one_to_two": autoencoder.decibels(one, two.clamp(-1, 1)),
            "one_to_truth": autoencoder.decibels(one, truth), "two_to_truth": autoencoder.decibels(two, truth),
        }  # fmt: skip
        run.log("distilled", **figures)


if __name__ == "__main__":
    main()
