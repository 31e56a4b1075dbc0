"""The drawn backgrounds by name: twenty places, and plain walls of twelve colours."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from training.scenes import indoors, outdoors
from training.scenes.canvas import Canvas, Colour, vary

PAINTERS: dict[str, Callable[[Canvas, Random], None]] = {
    painter.__name__: painter
    for painter in (
        outdoors.meadow, outdoors.beach, outdoors.desert, outdoors.forest, outdoors.snow, outdoors.sunset, outdoors.underwater,
        outdoors.space, outdoors.night, outdoors.mountains, outdoors.sky, outdoors.volcano, outdoors.autumn, outdoors.lake,
        outdoors.cave, indoors.city, indoors.room, indoors.kitchen, indoors.library, indoors.stage,
    )
}  # fmt: skip

# Plain walls of one colour, named as in an instruction.
PLAIN: dict[str, Colour] = {
    "white": (245, 245, 245), "black": (18, 18, 20), "grey": (150, 150, 155), "red": (205, 50, 50),
    "orange": (240, 150, 60), "yellow": (245, 218, 95), "green": (90, 175, 100), "turquoise": (80, 195, 190),
    "blue": (75, 130, 220), "purple": (140, 95, 190), "pink": (245, 170, 200), "brown": (140, 100, 70),
}  # fmt: skip


def paint(canvas: Canvas, name: str, seed: int) -> None:
    """Paints the background called `name`: one of PAINTERS, or one of PLAIN."""
    random = Random(seed)
    if name in PAINTERS:
        PAINTERS[name](canvas, random)
    else:
        canvas.fill(vary(PLAIN[name], random, 8))
