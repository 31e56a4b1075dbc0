"""From a scene's description to its pixels. All lengths are fractions of the picture's side."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from training.scenes import atlas
from training.scenes.backgrounds import disc, paint


@dataclass(frozen=True)
class Placed:
    """One object, standing with the middle of its feet at (x, y)."""

    name: str
    x: float
    y: float
    size: float  # the longer side
    flip: bool = False
    colour: str | None = None


@dataclass(frozen=True)
class Scene:
    background: str
    seed: int  # of the background's details and the support's shape
    objects: tuple[Placed, ...]
    support: str | None = None  # what the first object sits on: cloud, branch, rock, cushion
    weather: tuple[str, ...] = field(default=())  # snowfall, rain, rainbow, sun, moon
    style: str | None = None

    def with_first(self, **changes: object) -> Scene:
        return replace(self, objects=(replace(self.objects[0], **changes), *self.objects[1:]))  # type: ignore[arg-type]


SUPPORTS = ("cloud", "branch", "rock", "cushion")


def _draw_support(image: Image.Image, scene: Scene, width: float) -> None:
    """Draws what the first object sits on; its feet reach a little into it."""
    first, side = scene.objects[0], image.width
    draw = ImageDraw.Draw(image)
    random = Random(scene.seed % 2)  # few shapes, see edits.VARIANTS
    x, y = first.x, first.y
    if scene.support == "cloud":
        span = max(width * 1.5, 0.5)
        lobes = [(k / 6 - 0.5, random.uniform(0.085, 0.12) * (1.25 - abs(k / 6 - 0.5))) for k in range(7)]
        for drop, fill in ((0.055, (196, 208, 226)), (0.03, (226, 234, 246)), (0.01, (250, 252, 255))):
            for place, radius in lobes:
                disc(draw, side, x + place * span, y + drop + 0.02, radius, fill)
    elif scene.support == "branch":
        tilt = random.uniform(-0.04, 0.04)
        points = [(-0.02, y + 0.012 + tilt), (0.5, y + 0.012), (1.02, y + 0.012 - tilt)]
        draw.line([(px * side, py * side) for px, py in points], fill=(110, 75, 45), width=int(0.045 * side), joint="curve")
        for place in (0.06, 0.2, 0.82, 0.95):
            leaf = y + 0.012 + tilt * (1 - 2 * place)
            draw.ellipse([(place - 0.04) * side, (leaf - 0.05) * side, (place + 0.04) * side, (leaf - 0.005) * side], fill=(80, 155, 60))
    elif scene.support == "rock":
        half = max(width * 0.62, 0.2)
        points = [(-half, 0.13), (-half * 0.8, 0.02), (-half * 0.3, -0.02), (half * 0.5, -0.015), (half * 0.85, 0.04), (half, 0.13)]
        draw.polygon([((x + px) * side, (y + py) * side) for px, py in points], fill=(128, 124, 122))
        lit = [(-half * 0.8, 0.02), (-half * 0.3, -0.02), (half * 0.5, -0.015), (half * 0.3, 0.025), (-half * 0.4, 0.035)]
        draw.polygon([((x + px) * side, (y + py) * side) for px, py in lit], fill=(165, 160, 156))
    elif scene.support == "cushion":
        half = max(width * 0.6, 0.2)
        draw.ellipse([(x - half) * side, (y - 0.035) * side, (x + half) * side, (y + 0.12) * side], fill=(150, 40, 70))
        draw.ellipse([(x - half * 0.92) * side, (y - 0.03) * side, (x + half * 0.92) * side, (y + 0.06) * side], fill=(200, 65, 95))


def _draw_weather(image: Image.Image, scene: Scene) -> None:
    side, draw = image.width, ImageDraw.Draw(image)
    random = Random(7)  # one pattern of drops and flakes, see edits.VARIANTS
    for weather in scene.weather:
        if weather == "snowfall":
            for _ in range(70):
                disc(draw, side, random.random(), random.random(), random.uniform(0.007, 0.013), (255, 255, 255))
        elif weather == "rain":
            for _ in range(60):
                x, y = random.random() * side, random.random() * side
                draw.line([x, y, x - 0.02 * side, y + 0.07 * side], fill=(170, 195, 230), width=max(1, side // 110))
        elif weather == "sun":
            disc(draw, side, 0.84, 0.16, 0.11, (255, 205, 50))
            disc(draw, side, 0.84, 0.16, 0.085, (255, 228, 95))
        elif weather == "moon":
            disc(draw, side, 0.16, 0.16, 0.1, (246, 242, 215))
            disc(draw, side, 0.14, 0.14, 0.025, (222, 216, 186))
        elif weather == "rainbow":
            bands = ((230, 60, 60), (245, 150, 50), (250, 225, 80), (80, 185, 90), (70, 120, 225), (140, 80, 190))
            for band, fill in enumerate(bands):
                reach = 0.52 - band * 0.025
                arc = [(0.5 - reach) * side, (0.62 - reach) * side, (0.5 + reach) * side, (0.62 + reach) * side]
                draw.arc(arc, 180, 360, fill=fill, width=max(2, int(0.028 * side)))


def _stylise(image: Image.Image, style: str) -> Image.Image:
    if style == "grey":
        return image.convert("L").convert("RGB")
    if style == "sepia":
        return ImageOps.colorize(image.convert("L"), (38, 22, 10), (255, 240, 205), mid=(165, 120, 75))
    if style == "night":
        r, g, b = image.split()
        return Image.merge("RGB", (r.point(lambda v: v * 0.28), g.point(lambda v: v * 0.34), b.point(lambda v: v * 0.6 + 14)))
    if style == "blur":
        return image.filter(ImageFilter.GaussianBlur(image.width * 0.022))
    if style == "pixels":
        return image.resize((24, 24), Image.Resampling.BOX).resize(image.size, Image.Resampling.NEAREST)
    if style == "negative":
        return ImageOps.invert(image)
    if style == "poster":
        return ImageOps.posterize(ImageEnhance.Color(image).enhance(1.4), 2)
    if style == "bright":
        return ImageEnhance.Brightness(image).enhance(1.45)
    if style == "dark":
        return ImageEnhance.Brightness(image).enhance(0.5)
    if style == "warm":
        r, g, b = image.split()
        return Image.merge("RGB", (r.point(lambda v: v * 0.9 + 40), g.point(lambda v: v * 0.9 + 12), b.point(lambda v: v * 0.6)))
    if style == "sketch":
        edges = ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).point(lambda v: max(0, 255 - (255 - v) * 2))
        return edges.convert("RGB")
    raise ValueError(f"No style is called {style}.")


STYLES = ("grey", "sepia", "night", "blur", "pixels", "negative", "poster", "bright", "dark", "warm", "sketch")


def sprite_of(placed: Placed, large: bool) -> Image.Image:
    image = atlas.tinted(placed.name, placed.colour, large) if placed.colour else atlas.sprite(placed.name, large)
    return ImageOps.mirror(image) if placed.flip else image


def render(scene: Scene, side: int, large: bool = False) -> Image.Image:
    """Draws the scene as an RGB picture. `large` takes the finer sprites that a few objects have."""
    # Shapes are drawn at twice the size and reduced, because the drawing library does not smooth edges.
    doubled = paint(scene.background, side * 2, scene.seed)
    sprites = [sprite_of(placed, large) for placed in scene.objects]
    if scene.support and scene.objects:
        longer = max(sprites[0].size)
        _draw_support(doubled, scene, scene.objects[0].size * sprites[0].width / longer)
    behind = replace(scene, weather=tuple(w for w in scene.weather if w in ("rainbow", "sun", "moon")))
    if behind.weather:
        _draw_weather(doubled, behind)
        if scene.support and scene.objects:
            _draw_support(doubled, scene, scene.objects[0].size * sprites[0].width / longer)
    image = doubled.reduce(2)
    for placed, picture in zip(scene.objects, sprites, strict=True):
        scale = placed.size * side / max(picture.size)
        width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        resized = picture.resize((width, height), Image.Resampling.BILINEAR if scale < 1.2 else Image.Resampling.LANCZOS)
        image.paste(resized, (round(placed.x * side - width / 2), round(placed.y * side - height)), resized)
    before = replace(scene, weather=tuple(w for w in scene.weather if w in ("snowfall", "rain")))
    if before.weather:
        _draw_weather(image, before)
    return _stylise(image, scene.style) if scene.style else image


def change_mask(source: Image.Image, target: Image.Image) -> np.ndarray:
    """True where a pixel differs visibly, [side, side]."""
    difference = np.abs(np.asarray(source, np.int16) - np.asarray(target, np.int16))
    return difference.max(axis=2) > 12
