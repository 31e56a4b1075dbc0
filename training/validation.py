"""Measures a training or a checkpoint on scenes of its own kind: `python -m training.validation`, in either phase, in minutes.

What a choice of the recipe is held against, since the evaluation set is for the end alone: 100 new scenes that nothing holds
out, the same ones each time, and of each result what `npm run eval` asks too (evaluation/README.md): is it nearer to the truth
than to the source and nine wrong answers at 32x32, and how near is it outside of the edit.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
from torch import Tensor

from training.evaluation_set import COUNTS, tile, wrong_answers
from training.run import DEFAULT_SIDE
from training.sampling import Sampler, networks
from training.scenes.edits import Edit, draw_edit
from training.scenes.render import change_mask, render

SHARE = 5  # for each kind, one scene per so many of the evaluation's


def draw_case(random: Random, kind: str) -> tuple[Edit, np.ndarray]:
    """An edit with the tiles that an answer is compared with, [11, 32, 32, 3]: the truth, the source, nine wrong ones."""
    while True:
        edit = draw_edit(random, kind, "square")
        wrong = wrong_answers(edit, random)
        if wrong is not None:
            return edit, np.stack([np.asarray(t, np.float32) for t in (tile(edit.after), tile(edit.before), *wrong)])


def draw_cases() -> list[tuple[Edit, np.ndarray]]:
    random = Random("validation")
    return [draw_case(random, kind) for kind, count in COUNTS.items() for _ in range(max(2, count // SHARE))]


def judge(edit: Edit, tiles: np.ndarray, picture: np.ndarray) -> tuple[float, float | None]:
    """The margin, of 255, above zero where the edit was followed; and the dB outside of the edit, where there is an outside."""
    height, width, _ = picture.shape
    before, after = render(edit.before, (width, height)), render(edit.after, (width, height))
    cells = tiles.shape[1]
    small = picture.reshape(cells, height // cells, cells, width // cells, 3).mean(axis=(1, 3))
    distances = np.abs(small - tiles).mean(axis=(1, 2, 3))
    wrong = distances[2:] if edit.kind == "nothing" else distances[1:]
    outside = ~change_mask(before, after)
    error = np.square(picture - np.asarray(after, np.float32))[outside]
    return float(wrong.min() - distances[0]), 10 * float(np.log10(255**2 / max(error.mean(), 0.1))) if outside.any() else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.validation", description=__doc__)
    parser.add_argument("--guidance", type=float, nargs="*", default=[], help="one pass at each of these guidances")
    parser.add_argument("--scale", type=float, nargs="*", default=[], help="two passes at each of these scales of true guidance")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint folder instead of the saved training")
    parser.add_argument("--side", type=int, default=DEFAULT_SIDE, help="of the saved training's images (default %(default)s)")
    arguments = parser.parse_args()
    cases = draw_cases()
    sampler = Sampler(networks(arguments.checkpoint, arguments.side), [edit for edit, _ in cases], in_half=True)
    for guidance in arguments.guidance:
        report(f"guidance {guidance}", cases, sampler.one_pass(guidance))
    for scale in arguments.scale:
        report(f"scale {scale}", cases, sampler.two_passes(scale))


def report(title: str, cases: list[tuple[Edit, np.ndarray]], decoded: Tensor) -> None:
    results = ((decoded.clamp(-1, 1) + 1) * 127.5).round().permute(0, 2, 3, 1).numpy()
    judged = [judge(edit, tiles, picture) for (edit, tiles), picture in zip(cases, results, strict=True)]
    followed = [margin > 0 for margin, _ in judged]
    print(f"{title}: followed {np.mean(followed):.2f}, margin {np.mean([margin for margin, _ in judged]):.2f}, "
          f"kept {np.mean([kept for _, kept in judged if kept is not None]):.2f} dB")  # fmt: skip
    by_kind = Counter(edit.kind for (edit, _), is_right in zip(cases, followed, strict=True) if is_right)
    print("  " + ", ".join(f"{kind} {by_kind[kind]} of {n}" for kind, n in Counter(edit.kind for edit, _ in cases).items()))


if __name__ == "__main__":
    main()
