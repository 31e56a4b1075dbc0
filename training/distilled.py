"""Holds one guided pass against the teacher's two: `python -m training.distilled`, after the guidance phase.

For new scenes and the same noise, the pictures after 28 steps of the distilled model at guidance g and of the teacher's true
guidance at the scale that g stands for; in dB, per g. Beside it, what the teacher's scale does to the answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from training import autoencoder, editor, run
from training.scenes.edits import draw_edit
from training.scenes.render import render

GUIDANCES = (0.0, 1.0, 2.0, 3.5, 5.0, 10.0)
STEPS = 28


def sigmas(tokens: int) -> list[float]:
    """The scheduler's sigmas for this many target tokens, and the final zero."""
    return [editor.shift_time(u, tokens) for u in np.linspace(1, 1 / STEPS, STEPS)] + [0.0]


@torch.no_grad()
def denoise(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
    latents, course = noise, sigmas(noise.shape[1])
    for now, after in zip(course, course[1:], strict=False):
        latents = latents + (after - now) * velocity(latents, torch.full((len(noise),), now))
    return latents


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of editor.pack."""
    return tokens.view(-1, rows, columns, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(-1, 16, rows * 2, columns * 2)


def decode(encoder: AutoencoderKL, tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures [B, 3, height, width], about -1 to 1, of a width and height in pixels."""
    latents = unpack(tokens, size[1] // editor.TOKEN, size[0] // editor.TOKEN)
    return encoder.decode(latents / encoder.config.scaling_factor + encoder.config.shift_factor).sample


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.distilled", description=__doc__)
    parser.add_argument("--scenes", type=int, default=24)
    count = parser.parse_args().scenes

    state = run.load("editor")
    if state is None or state["teacher"] is None:
        raise SystemExit("There is no distilled model yet: the guidance phase has not begun.")
    student, teacher, encoder = editor.trained(), editor.build().eval(), autoencoder.trained()
    teacher.load_state_dict(state["teacher"])
    batches = editor.Batches(encoder, count, 0, "cpu")
    random, side = Random("distilled"), autoencoder.SIDE
    edits = [draw_edit(random, shape="square") for _ in range(count)]
    reference = editor.pack(autoencoder.encode(encoder, autoencoder.pixels(pictures(edits, True, side))))
    truth = autoencoder.pixels(pictures(edits, False, side))
    words, empty = batches.tokens([edit.instruction for edit in edits]), batches.tokens([""] * count)
    noise = torch.randn(reference.shape, generator=torch.Generator().manual_seed(0))
    places = editor.image_ids((side, side))

    for guidance in GUIDANCES:
        asked, plain = torch.full((count,), guidance), torch.full((count,), editor.PLAIN_GUIDANCE)
        scale = editor.true_scale(asked).view(-1, 1, 1)

        def one_pass(latents: Tensor, sigma: Tensor, asked: Tensor = asked) -> Tensor:
            return student.velocity(latents, reference, places, sigma, asked, *words)

        def two_passes(latents: Tensor, sigma: Tensor, scale: Tensor = scale, plain: Tensor = plain) -> Tensor:
            without = teacher.velocity(latents, reference, places, sigma, plain, *empty)
            return without + scale * (teacher.velocity(latents, reference, places, sigma, plain, *words) - without)

        one, two = (decode(encoder, denoise(passes, noise), (side, side)) for passes in (one_pass, two_passes))
        figures = {
            "guidance": guidance, "scale": scale[0].item(), "one_to_two": autoencoder.decibels(one, two.clamp(-1, 1)),
            "one_to_truth": autoencoder.decibels(one, truth), "two_to_truth": autoencoder.decibels(two, truth),
        }  # fmt: skip
        run.log("distilled", **figures)


def pictures(edits: list, is_source: bool, side: int) -> np.ndarray:
    return np.stack([np.asarray(render(edit.before if is_source else edit.after, (side, side))) for edit in edits])


if __name__ == "__main__":
    main()
