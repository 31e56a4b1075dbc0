"""Writes the held-out evaluation set: `python -m training.evaluation_set`. evaluation/README.md describes its format.

Every scene is held out of the training for at least one of the reasons of scenes/heldout.py. Nothing is selected by what a
model makes of it; a scene is drawn anew only where a wrong answer would look like the right one.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Hashable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from training.scenes.compose import draw_shape
from training.scenes.edits import Edit, apply, draw_any_edit, draw_part, held_out
from training.scenes.kinds import KINDS
from training.scenes.render import Scene, Size, render

FOLDER = Path("evaluation/set")
SIDE = 192  # images have about SIDE * SIDE pixels
TILE = 32
WRONG_ANSWERS = 9
LEAST_DIFFERENCE = 4.0  # of 255, the mean over a tile, between the right answer and each wrong one

COUNTS = {
    "background": 55, "place": 50, "support": 20, "recolour": 55, "add": 50, "remove": 45, "replace": 45, "move": 25,
    "enlarge": 15, "shrink": 15, "mirror": 15, "style": 40, "weather": 20, "text": 20, "two": 20, "nothing": 10,
}  # fmt: skip
CHAINS, STEPS = 10, 5

_REASONS = ("background", "wording", "edit", "synonym")
_OTHER_KINDS = ("recolour", "remove", "replace", "enlarge", "shrink", "mirror", "move", "background", "style", "add")


def size_of(scene: Scene, side: int = SIDE) -> Size:
    root = scene.aspect**0.5
    return round(side * root), round(side / root)


@cache
def _shares(size: int) -> np.ndarray:
    """[TILE, size]: the share of each pixel in each of TILE equal parts of a side."""
    edges = np.arange(TILE + 1) * size / TILE
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return covered.clip(0) * TILE / size


def tile(scene: Scene, side: int = SIDE) -> Image.Image:
    """The scene at 32 x 32, the exact mean over each cell."""
    picture = np.asarray(render(scene, size_of(scene, side)), np.float64)
    height, width, _ = picture.shape
    mean = np.einsum("ty,yxc,ux->tuc", _shares(height), picture, _shares(width), optimize=True)
    return Image.fromarray(mean.round().astype(np.uint8))


def sketch(scene: Scene) -> Image.Image:
    """A quick tile, to find out what is worth drawing exactly."""
    return tile(scene, 2 * TILE)


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def _redo(edit: Edit, index: int, choices: tuple[Hashable, ...]) -> Scene | None:
    """The edit's parts with other choices, the first on another object."""
    scene: Scene | None = edit.before
    for place, (part, choice) in enumerate(zip(edit.parts, choices, strict=True)):
        if scene is None:
            return None
        scene = apply(part.kind, scene, index if place == 0 else 0, choice)
    return scene


def same_kind(edit: Edit, random: Random) -> Iterator[Scene | None]:
    """The same kind of edit of the same object with another choice."""
    while True:
        changed = random.randrange(len(edit.parts))
        choices = [part.choice for part in edit.parts]
        part = edit.parts[changed]
        choices[changed] = KINDS[part.kind].draw(edit.before, part.index, random)
        yield _redo(edit, edit.parts[0].index, tuple(choices))


def other_kind(edit: Edit, random: Random) -> Iterator[Scene | None]:
    """Another kind of edit of the same object."""
    index = edit.parts[0].index if edit.parts else 0
    while True:
        kind = random.choice(_OTHER_KINDS)
        if kind == edit.kind:
            continue
        yield apply(kind, edit.before, index, KINDS[kind].draw(edit.before, index, random))


def other_object(edit: Edit, random: Random) -> Iterator[Scene | None]:
    """The same edit of another object of the scene."""
    if KINDS[edit.parts[0].kind].of_object:
        for index in range(len(edit.before.objects)):
            if index != edit.parts[0].index:
                yield _redo(edit, index, tuple(part.choice for part in edit.parts))


def wrong_answers(edit: Edit, random: Random) -> list[Image.Image] | None:
    """Nine tiles, three of each sort where there are as many; None where the scene has fewer that differ enough."""
    rough = sketch(edit.after)
    if edit.kind != "nothing" and difference(rough, sketch(edit.before)) < LEAST_DIFFERENCE:
        return None
    right = tile(edit.after)
    if edit.kind != "nothing" and difference(right, tile(edit.before)) < LEAST_DIFFERENCE:
        return None
    seen: set[Scene] = {edit.before, edit.after}
    tiles: list[Image.Image] = []

    def take(source: Iterator[Scene | None], wanted: int, tries: int) -> None:
        for _, scene in zip(range(tries), source, strict=False):
            if wanted == 0:
                return
            if scene is None or scene in seen:
                continue
            seen.add(scene)
            if difference(rough, sketch(scene)) < LEAST_DIFFERENCE:
                continue
            candidate = tile(scene)
            if difference(right, candidate) >= LEAST_DIFFERENCE:
                tiles.append(candidate)
                wanted -= 1

    take(other_object(edit, random), 3, 9)
    take(same_kind(edit, random), 3, 40)
    take(other_kind(edit, random), 3, 40)
    # Where a sort has too few (one object only, or nothing to choose), the others make up for it.
    take(same_kind(edit, random), (WRONG_ANSWERS - len(tiles)) // 2, 40)
    take(other_kind(edit, random), WRONG_ANSWERS - len(tiles), 120)
    return tiles if len(tiles) == WRONG_ANSWERS else None


def draw(kind: str, number: int) -> tuple[Edit, list[Image.Image]]:
    """Scene `number` of its kind; its reason to be held out takes turns among those that the kind has."""
    random = Random(f"evaluation {kind} {number}")
    reason = _REASONS[number % len(_REASONS)]
    of_object = kind == "two" or KINDS[kind].of_object
    for tries in range(200_000):
        # A text edit has a sign alone in its scene: a word in a corner would get lost in the rest.
        # A support carries the first of two at most.
        count = 1 if kind == "text" else random.choice((1, 2, 2, 2 if kind == "support" else 3)) if of_object else None
        edit = draw_any_edit(random, kind, count, draw_shape(random))
        found = held_out(edit)
        # Not every kind has every reason; then any will do.
        if not found or (reason not in found and tries < 3_000):
            continue
        tiles = wrong_answers(edit, random)
        if tiles is not None:
            return edit, tiles
    raise RuntimeError(f"No scene for {kind} {number}.")


def _draw_job(job: tuple[str, int]) -> tuple[Edit, list[Image.Image]]:
    return draw(*job)


def draw_chain(number: int) -> tuple[list[Scene], list[dict[str, str]]]:
    """A scene and five edits in a row, each of another kind."""
    random = Random(f"chain {number}")
    scene = draw_any_edit(random, "recolour", 1 + number % 2, draw_shape(random)).before
    kinds = random.sample(("background", "recolour", "add", "weather", "mirror", "replace", "support"), STEPS)
    scenes, steps = [scene], []
    for kind in kinds:
        for _ in range(300):
            drawn = draw_part(kind, scene, random)
            if drawn is not None and difference(tile(scene), tile(drawn[2])) >= LEAST_DIFFERENCE:
                text, _, scene = drawn
                scenes.append(scene)
                steps.append({"kind": kind, "instruction": text[0].upper() + text[1:]})
                break
    return (scenes, steps) if len(steps) == STEPS else draw_chain(number + CHAINS)


def stack(pictures: list[Image.Image], across: bool = False) -> Image.Image:
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width * len(pictures), height) if across else (width, height * len(pictures)))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place * width, 0) if across else (0, place * height))
    return sheet


def _save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, lossless=True, quality=100, method=6)


def main(folder: Path = FOLDER) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    scenes, rows, chains = [], [], []
    jobs = [(kind, number) for kind, count in COUNTS.items() for number in range(count)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for identity, (edit, tiles) in enumerate(pool.map(_draw_job, jobs, chunksize=5)):
            size = size_of(edit.before)
            _save(stack([render(edit.before, size), render(edit.after, size)]), folder / f"scenes/{identity:03}.webp")
            rows.append(stack(tiles, across=True))
            scenes.append({
                "id": identity, "kind": edit.kind, "width": size[0], "height": size[1], "instruction": edit.instruction,
                "seed": identity, "probe": identity % 5 == 0, "heldOut": sorted(held_out(edit)), "key": edit.digest,
            })  # fmt: skip
    for number in range(CHAINS):
        states, steps = draw_chain(number)
        size = size_of(states[0])
        _save(stack([render(scene, size) for scene in states]), folder / f"chains/{number}.webp")
        chains.append({"id": number, "width": size[0], "height": size[1], "steps": steps})
    _save(stack(rows), folder / "candidates.webp")
    (folder / "scenes.json").write_text(
        '{"side": %d, "scenes": [\n%s\n], "chains": [\n%s\n]}\n'
        % (SIDE, ",\n".join(json.dumps(s) for s in scenes), ",\n".join(json.dumps(c) for c in chains))
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
