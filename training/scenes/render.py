"""From a scene's description to its pixels.

Places are fractions of the picture's width and height. Sizes are fractions of its unit, the side of a square of the same
area, so an object looks alike in every shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageOps

from training.scenes import atlas, signs
from training.scenes.backgrounds import paint
from training.scenes.canvas import Canvas
from training.scenes.styles import stylise
from training.scenes.supports import BEHIND, draw_support, draw_weather

Size = tuple[int, int]  # width, height in pixels

SHAPES = {"square": 1.0, "4:3": 4 / 3, "3:4": 3 / 4, "16:9": 16 / 9, "9:16": 9 / 16}  # width / height


@dataclass(frozen=True)
class Placed:
    """One object, standing with the middle of its feet at (x, y). A sign has a text."""

    name: str
    x: float
    y: float
    size: float  # the longer side
    flip: bool = False
    colour: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Scene:
    background: str
    seed: int  # of the background's details and the support's shape
    objects: tuple[Placed, ...]
    support: str | None = None  # what the first object sits on
    weather: str | None = None
    style: str | None = None
    shape: str = "square"  # one of SHAPES

    @property
    def aspect(self) -> float:
        return SHAPES[self.shape]

    def with_object(self, index: int, **changes: object) -> Scene:
        objects = list(self.objects)
        objects[index] = replace(objects[index], **changes)  # type: ignore[arg-type]
        return replace(self, objects=tuple(objects))


def sprite_of(placed: Placed, large: bool = False) -> Image.Image:
    if placed.text is not None:
        return signs.sign(placed.text, large)
    image = atlas.tinted(placed.name, placed.colour, large) if placed.colour else atlas.sprite(placed.name, large)
    return ImageOps.mirror(image) if placed.flip else image


def extent(placed: Placed) -> tuple[float, float]:
    """Width and height of the object in units."""
    if placed.text is not None:
        return placed.size, placed.size * signs.HEIGHT / signs.WIDTH
    _, _, width, height = atlas.BY_NAME[placed.name].box
    longer = max(width, height)
    return placed.size * width / longer, placed.size * height / longer


def render(scene: Scene, size: Size, large: bool = False) -> Image.Image:
    """Draws the scene as an RGB image of `size`. `large` takes the finer sprites that a few objects have."""
    width, height = size
    unit = math.sqrt(width * height)
    # Shapes are drawn at twice the size and reduced, because the drawing library does not smooth edges.
    doubled = Canvas(width * 2, height * 2)
    paint(doubled, scene.background, scene.seed)
    if scene.weather in BEHIND:
        draw_weather(doubled, scene.weather)
    if scene.support and scene.objects:
        first = scene.objects[0]
        draw_support(doubled, scene.support, first.x, first.y, extent(first)[0], scene.seed % 2)
    image = doubled.image.reduce(2)
    for placed in scene.objects:
        sprite = sprite_of(placed, large)
        scale = placed.size * unit / max(sprite.size)
        across, down = max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale))
        resized = sprite.resize((across, down), Image.Resampling.BILINEAR if scale < 1.2 else Image.Resampling.LANCZOS)
        image.paste(resized, (round(placed.x * width - across / 2), round(placed.y * height - down)), resized)
    if scene.weather and scene.weather not in BEHIND:
        draw_weather(Canvas(width, height, image), scene.weather)
    return stylise(image, scene.style) if scene.style else image


def change_mask(source: Image.Image, target: Image.Image) -> np.ndarray:
    """True where a pixel differs visibly, [height, width]."""
    difference = np.abs(np.asarray(source, np.int16) - np.asarray(target, np.int16))
    return difference.max(axis=2) > 12
