"""Edits images with a training or a checkpoint as the engine does: one guided pass per step, or the two of true guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from training import autoencoder
from training.editor.batches import Batches
from training.editor.model import PLAIN_GUIDANCE, Editor, build, image_ids, pack, shift_time, start_from, trained
from training.precision import mixed
from training.run import TOKEN, Run
from training.scenes.edits import Edit
from training.scenes.render import Scene, render

STEPS = 28


def sigmas(tokens: int) -> list[float]:
    """The scheduler's sigmas for this many target tokens, and the final zero."""
    return [shift_time(u, tokens) for u in np.linspace(1, 1 / STEPS, STEPS)] + [0.0]


def denoise(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor) -> Tensor:
    latents, course = noise, sigmas(noise.shape[1])
    for now, after in zip(course, course[1:], strict=False):
        latents = latents + (after - now) * velocity(latents, torch.full((len(noise),), now))
    return latents


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `pack`."""
    return tokens.view(-1, rows, columns, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(-1, 16, rows * 2, columns * 2)


def decode(encoder: AutoencoderKL, tokens: Tensor) -> Tensor:
    """Square images of the encoder's own side, [B, 3, side, side], about -1 to 1."""
    across = encoder.config.sample_size // TOKEN
    latents = unpack(tokens, across, across)
    return encoder.decode(latents / encoder.config.scaling_factor + encoder.config.shift_factor).sample


def pictures(scenes: Sequence[Scene], side: int) -> Tensor:
    """[B, 3, side, side], -1 to 1."""
    return autoencoder.pixels(np.stack([np.asarray(render(scene, (side, side))) for scene in scenes]))


@dataclass(frozen=True)
class Networks:
    student: Editor  # makes the single pass
    teacher: Editor  # makes the two passes of true guidance, asked for guidance 1 in both
    encoder: AutoencoderKL
    tokenizers: Path
    is_distilled: bool  # whether the student has learnt guidance

    @property
    def side(self) -> int:
        """The side of the images that they were trained on, in pixels."""
        return self.encoder.config.sample_size


def networks(checkpoint: Path | None, side: int) -> Networks:
    """Those of a checkpoint folder or, without one, of the saved training at this side."""
    return _saved(Run(side)) if checkpoint is None else _stored(checkpoint)


def _saved(run: Run) -> Networks:
    state = run.load("editor")
    if state is None:
        raise SystemExit("There is no trained state yet.")
    student = teacher = trained(run)
    is_distilled = state["teacher"] is not None
    if is_distilled:
        teacher = build(run.tokenizers).eval()
        teacher.load_state_dict(state["teacher"])
    return Networks(student, teacher, autoencoder.trained(run), run.tokenizers, is_distilled)


def _stored(checkpoint: Path) -> Networks:
    """The checkpoint is its own teacher: guidance 1 is about a scale of 1."""
    student = build(checkpoint).eval()
    start_from(student, checkpoint)
    encoder = AutoencoderKL.from_pretrained(checkpoint / "vae", torch_dtype=torch.float32).eval()
    return Networks(student, student, encoder, checkpoint, is_distilled=True)


class Sampler:
    """Networks and the edits that they are asked for: of square images, each time from the same noise."""

    @torch.no_grad()
    def __init__(self, made: Networks, edits: Sequence[Edit], in_half: bool = False) -> None:
        self.student, self.teacher, self.encoder = made.student, made.teacher, made.encoder
        self.precision = mixed("cpu") if in_half else nullcontext()
        batches = Batches(self.encoder, made.side, len(edits), 0, "cpu", made.tokenizers)
        self.reference = pack(autoencoder.encode(self.encoder, pictures([edit.before for edit in edits], made.side)))
        self.words, self.empty = batches.tokens([edit.instruction for edit in edits]), batches.tokens([""] * len(edits))
        self.noise = torch.randn(self.reference.shape, generator=torch.Generator().manual_seed(0))
        self.places = image_ids((made.side, made.side))

    @torch.no_grad()
    def one_pass(self, guidance: float) -> Tensor:
        """The student's images at this guidance, see `decode`."""
        return decode(self.encoder, denoise(lambda x, sigma: self._velocity(self.student, x, sigma, guidance, self.words), self.noise))

    @torch.no_grad()
    def two_passes(self, scale: float) -> Tensor:
        """The teacher's images at this scale of true guidance."""

        def velocity(latents: Tensor, sigma: Tensor) -> Tensor:
            given, without = (
                self._velocity(self.teacher, latents, sigma, PLAIN_GUIDANCE, texts) for texts in (self.words, self.empty)
            )
            return without + scale * (given - without)

        return decode(self.encoder, denoise(velocity, self.noise))

    def _velocity(self, model: Editor, latents: Tensor, sigma: Tensor, guidance: float, texts: tuple[Tensor, Tensor]) -> Tensor:
        with self.precision:
            return model.velocity(latents, self.reference, self.places, sigma, torch.full((len(latents),), guidance), *texts)
