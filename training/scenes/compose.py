"""Composes a scene: how many objects, which ones, where, and on what."""

from __future__ import annotations

import math
from random import Random

from training.scenes.atlas import COLOURS, OBJECTS, Object
from training.scenes.backgrounds import PAINTERS, PLAIN
from training.scenes.render import SHAPES, Placed, Scene, Size, extent
from training.scenes.signs import WORDS
from training.scenes.supports import SUPPORTS

PLACES = tuple(PAINTERS)
WALLS = tuple(PLAIN)
COLOUR_NAMES = tuple(COLOURS)

# For each number of objects: where their feet are and how large they may be. Objects further back come first.
_SLOTS: dict[int, tuple[tuple[float, float, float, float], ...]] = {
    # x, y, smallest, largest
    1: ((0.5, 0.8, 0.42, 0.66),),
    2: ((0.29, 0.82, 0.34, 0.5), (0.74, 0.86, 0.32, 0.46)),
    3: ((0.2, 0.84, 0.28, 0.38), (0.52, 0.72, 0.28, 0.38), (0.82, 0.88, 0.28, 0.36)),
    4: ((0.3, 0.56, 0.24, 0.32), (0.72, 0.58, 0.24, 0.32), (0.22, 0.92, 0.26, 0.34), (0.76, 0.92, 0.26, 0.34)),
}
_COUNTS = (1,) * 11 + (2,) * 6 + (3,) * 2 + (4,)


def sizes(native: int) -> dict[str, Size]:
    """Width and height of each shape for a native side: the grids of 16 on which the engine edits such images."""

    def up(length: float) -> int:
        return math.ceil(length / 16 - 1e-6) * 16

    return {shape: (up(native * math.sqrt(aspect)), up(native / math.sqrt(aspect))) for shape, aspect in SHAPES.items()}


def background(random: Random) -> str:
    """One of the places, or, one time in five, a plain wall."""
    return random.choice(WALLS) if random.random() < 0.2 else random.choice(PLACES)


def _is_confusable(one: Object, other: Object) -> bool:
    """Whether a name of one ends in a name of the other, as `polar bear` and `bear` do."""
    return any(a == b or a.endswith(f" {b}") or b.endswith(f" {a}") for a in one.names for b in other.names)


def draw_objects(random: Random, count: int) -> list[Object]:
    """Objects that an instruction can tell apart."""
    chosen: list[Object] = []
    while len(chosen) < count:
        candidate = random.choice(OBJECTS)
        if not any(_is_confusable(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _frame(placed: Placed, shape: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom as fractions of the image."""
    width, height = extent(placed)
    root = math.sqrt(SHAPES[shape])
    half = width / root / 2
    return placed.x - half, placed.y - height * root, placed.x + half, placed.y


def fits(placed: Placed, shape: str) -> bool:
    left, top, right, bottom = _frame(placed, shape)
    return left > -0.02 and top > -0.02 and right < 1.02 and bottom < 1.02


def overlaps(one: Placed, other: Placed, shape: str) -> bool:
    """Whether more than a fifth of the smaller one's frame is shared."""
    a, b = _frame(one, shape), _frame(other, shape)
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((f[2] - f[0]) * (f[3] - f[1]) for f in (a, b))
    return across > 0 and down > 0 and across * down > 0.2 * smaller


def draw_shape(random: Random) -> str:
    return "square" if random.random() < 0.6 else random.choice(tuple(SHAPES)[1:])


def draw_scene(random: Random, count: int | None = None, with_sign: bool = False, shape: str | None = None) -> Scene:
    """Draws a scene of `count` objects, or of one to four, mostly one. A sign replaces the last of them."""
    count = count or random.choice(_COUNTS)
    shape = shape or draw_shape(random)
    # In a long image the shorter side is less than a unit, so objects have to be smaller.
    room = {"square": 1.0, "4:3": 0.9, "3:4": 0.9}.get(shape, 0.78)
    placed = []
    for object_, (x, y, smallest, largest) in zip(draw_objects(random, count), _SLOTS[count], strict=True):
        if count == 1 and random.random() < 0.4:  # aside and smaller
            x, smallest, largest = random.uniform(0.26, 0.74), 0.28, 0.46
        placed.append(Placed(
            object_.name, x + random.uniform(-0.05, 0.05), y + random.uniform(-0.05, 0.05), random.uniform(smallest, largest) * room,
            random.random() < 0.5, random.choice(COLOUR_NAMES) if random.random() < 0.06 else None,
        ))  # fmt: skip
    if with_sign:
        last = placed[-1]
        size = random.uniform(0.55, 0.85) * room if count == 1 else max(last.size, 0.36)
        placed[-1] = Placed("sign", last.x if count > 1 else 0.5, last.y, size, text=random.choice(WORDS))
    support = random.choice(SUPPORTS) if count <= 2 and not with_sign and random.random() < 0.2 else None
    return Scene(background(random), random.randrange(1 << 30), tuple(placed), support, shape=shape)
