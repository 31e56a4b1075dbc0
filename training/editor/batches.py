"""Batches of drawn and encoded edits, and the noise levels and guidances at which they are trained."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from training import autoencoder, prefetch, vocabulary
from training.editor.model import image_ids, pack, shifted, true_scale
from training.precision import mixed
from training.run import TOKEN
from training.scenes.compose import draw_shape, sizes
from training.scenes.edits import draw_edit
from training.scenes.render import change_mask, render

SIGMA_SHIFT = 3.0  # of the sigmas that are trained on, see `draw_sigma`
EMPTY_TEXTS = 0.1  # the share of instructions left out, so that true guidance has something to go against


def draw_sigma(count: int, device: str, generator: torch.Generator | None = None) -> Tensor:
    """[count] in 0..1: spread evenly over a batch, then shifted so that 43 % are above 0.8.

    What comes of an instruction is settled there, in the first of the steps, and what is settled wrong stays. The usual
    logit-normal times put 4 % above 0.9, and after 11,000 steps of them the network at sigma 1 still missed what it had only to
    copy by 0.25, of a variance of 1.
    """
    where = "cpu" if generator else device
    spread = torch.randperm(count, device=where, generator=generator) + torch.rand(count, device=where, generator=generator)
    return shifted((spread / count).to(device), SIGMA_SHIFT)


def draw_guidance(count: int, device: str) -> Tensor:
    """[count] of any guidance that a user may send, 0 to 10: 45 % are 1 to 4, 45 % make all scales equally frequent, 10 % are 0.

    At 0 the instruction is to count for nothing, which is learnt only where just that is asked for.
    """
    share, kind = torch.rand(2, count, device=device)
    scale = share * true_scale(torch.tensor(10.0))
    guidance = torch.where(kind < 0.45, 1 + 3 * share, 4 * scale / (4 - scale))
    return torch.where(kind > 0.9, torch.zeros_like(share), guidance)


def balance(changed: Tensor) -> Tensor:
    """What each token counts in the loss, [B, L] of mean 1, for the tokens that an edit changes, [B, L].

    What changes and what stays count alike, so that neither a small edit nor a small object before a new background is
    lost among the rest; a token that changes counts for half to eight of the others, lest a few decide everything.
    """
    share = changed.float().mean(dim=1, keepdim=True)
    weight = torch.where(changed, ((1 - share) / share).clamp(0.5, 8), 1.0)
    return weight / weight.mean(dim=1, keepdim=True)


def draw_examples(seed: int, count: int, side: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The images before, then those after, as bytes [2 B, H, W, 3]; which tokens change [B, L]; the instructions."""
    random = Random(seed)
    shape = draw_shape(random)
    size = sizes(side)[shape]
    sources, targets, texts, masks = [], [], [], []
    for _ in range(count):
        edit = draw_edit(random, shape=shape)
        source, target = render(edit.before, size), render(edit.after, size)
        sources.append(np.asarray(source))
        targets.append(np.asarray(target))
        texts.append("" if random.random() < EMPTY_TEXTS else edit.instruction)
        masks.append(change_mask(source, target))
    across, down = size[0] // TOKEN, size[1] // TOKEN
    changed = np.stack(masks).reshape(count, down, TOKEN, across, TOKEN).any(axis=(2, 4)).reshape(count, -1)
    return np.stack(sources + targets), changed, texts


class Batches:
    """Draws and encodes batches of edits; batch n is the same in every run with this seed."""

    def __init__(self, encoder: AutoencoderKL, side: int, batch: int, seed: int, device: str, tokenizers: Path) -> None:
        self.encoder, self.side, self.batch, self.seed, self.device = encoder.to(device), side, batch, seed, device
        self.clip, self.t5 = vocabulary.load(tokenizers)

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        how = {"padding": "max_length", "truncation": True, "max_length": vocabulary.MAX_LENGTH, "return_tensors": "pt"}
        return self.t5(texts, **how).input_ids.to(self.device), self.clip(texts, **how).input_ids.to(self.device)

    @torch.no_grad()
    def draw(self, number: int) -> dict[str, Tensor]:
        pictures, changed, texts = prefetch.take(draw_examples, self.seed * 1_000_003 + number, self.batch, self.side)
        both = autoencoder.pixels(pictures, self.device)
        with mixed(both.device.type):
            latents = pack(autoencoder.encode(self.encoder, both).float())
        t5_ids, clip_ids = self.tokens(texts)
        size = (pictures.shape[2], pictures.shape[1])
        return {
            "reference": latents[: self.batch], "target": latents[self.batch :], "places": image_ids(size, self.device),
            "t5_ids": t5_ids, "clip_ids": clip_ids, "weight": balance(torch.from_numpy(changed).to(self.device)),
        }  # fmt: skip
