"""The clip-art objects: names from atlas/atlas.json, sprites from atlas/atlas.png (see atlas/render.mjs)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent.parent / "atlas"

# Red, green, blue of every colour that an instruction may name.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 40, 40),
    "orange": (245, 140, 25),
    "yellow": (248, 212, 40),
    "green": (50, 170, 70),
    "turquoise": (40, 195, 190),
    "blue": (45, 105, 225),
    "purple": (140, 70, 200),
    "pink": (245, 130, 180),
    "brown": (135, 88, 50),
    "white": (228, 228, 232),
    "grey": (140, 140, 146),
    "black": (52, 52, 58),
}


@dataclass(frozen=True)
class Object:
    name: str
    names: tuple[str, ...]
    kind: str  # animal, food, vehicle, furniture, plant, thing
    box: tuple[int, int, int, int]


def _read_objects() -> tuple[Object, ...]:
    entries = json.loads((FOLDER / "atlas.json").read_text())
    return tuple(Object(e["name"], tuple(e["names"]), e["kind"], tuple(e["box"])) for e in entries)


OBJECTS = _read_objects()
BY_NAME = {o.name: o for o in OBJECTS}


@lru_cache(maxsize=1)
def _sheet() -> Image.Image:
    return Image.open(FOLDER / "atlas.png").convert("RGBA")


@cache
def sprite(name: str, large: bool = False) -> Image.Image:
    """The object's image with straight alpha, 112 pixels on its longer side; 640 where `large` has been rendered."""
    if large:
        return Image.open(FOLDER / "large" / f"{name.replace(' ', '-')}.png").convert("RGBA")
    x, y, width, height = BY_NAME[name].box
    return _sheet().crop((x, y, x + width, y + height))


@lru_cache(maxsize=512)
def tinted(name: str, colour: str, large: bool = False) -> Image.Image:
    """The sprite in one colour, with its shading but without its own hues.

    Brightness is stretched around the sprite's median so that a dark and a pale object end in the same colour.
    """
    image = sprite(name, large)
    alpha = image.getchannel("A")
    grey = image.convert("L")
    counts = grey.histogram(mask=alpha.point(lambda a: 255 if a > 128 else 0))
    half, total, median = sum(counts) / 2, 0, 128
    for level, count in enumerate(counts):
        total += count
        if total >= half:
            median = min(max(level, 40), 215)
            break
    channels = []
    for value in COLOURS[colour]:
        low = [value * (0.35 + 0.65 * level / median) for level in range(median)]
        high = [value + (255 - value) * 0.75 * (level - median) / (256 - median) for level in range(median, 256)]
        channels.append(grey.point([int(v) for v in low + high]))
    return Image.merge("RGBA", (*channels, alpha))
