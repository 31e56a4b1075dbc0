"""The styles: functions of the whole image."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def _sketch(image: Image.Image) -> Image.Image:
    """Grey divided by its own blur: flat areas turn white, outlines stay dark."""
    grey = image.convert("L")
    radius = math.sqrt(image.width * image.height) * 0.016
    around = np.asarray(grey.filter(ImageFilter.GaussianBlur(radius)), np.float32)
    ratio = (np.asarray(grey, np.float32) + 8) / (around + 8)
    lines = np.clip(255 - 470 * np.abs(1 - ratio), 20, 255)
    return Image.fromarray(lines.astype(np.uint8)).convert("RGB")


def _pixels(image: Image.Image) -> Image.Image:
    """Blocks of a twenty-fourth of the square side."""
    cell = math.sqrt(image.width * image.height) / 24
    cells = (max(1, round(image.width / cell)), max(1, round(image.height / cell)))
    return image.resize(cells, Image.Resampling.BOX).resize(image.size, Image.Resampling.NEAREST)


def _channels(image: Image.Image, *scales: tuple[float, float]) -> Image.Image:
    """Each channel times its factor plus its offset."""
    mapped = [channel.point([int(min(255, v * factor + offset)) for v in range(256)])
              for channel, (factor, offset) in zip(image.split(), scales, strict=True)]  # fmt: skip
    return Image.merge("RGB", mapped)


def _blur(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(math.sqrt(image.width * image.height) * 0.022))


STYLES = {
    "grey": lambda image: image.convert("L").convert("RGB"),
    "sepia": lambda image: ImageOps.colorize(image.convert("L"), (38, 22, 10), (255, 240, 205), mid=(165, 120, 75)),
    "sketch": _sketch,
    "pixels": _pixels,
    "night": lambda image: _channels(image, (0.28, 0), (0.34, 0), (0.6, 14)),
    "blur": _blur,
    "negative": ImageOps.invert,
    "bright": lambda image: ImageEnhance.Brightness(image).enhance(1.45),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "warm": lambda image: _channels(image, (0.9, 40), (0.9, 12), (0.6, 0)),
}


def stylise(image: Image.Image, style: str) -> Image.Image:
    return STYLES[style](image)
