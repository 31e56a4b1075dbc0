"""Pictures without objects for the autoencoder: photographs, natural textures, gradients."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent.parent / "photographs"


@lru_cache(maxsize=1)
def _photographs() -> tuple[Image.Image, ...]:
    return tuple(Image.open(path).convert("RGB") for path in sorted(FOLDER.glob("*.jpg")))


def photograph(side: int, random: Random) -> Image.Image:
    """A square part of one of the photographs, as it is or mirrored."""
    image = random.choice(_photographs())
    part = random.randint(min(128, *image.size), min(image.size))
    x, y = random.randint(0, image.width - part), random.randint(0, image.height - part)
    picture = image.resize((side, side), Image.Resampling.BICUBIC, (x, y, x + part, y + part), reducing_gap=2.0)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else picture


def texture(side: int, random: Random) -> Image.Image:
    """Clouds of two colours: random grids of falling weight, enlarged and summed."""
    numbers = np.random.default_rng(random.randrange(1 << 32))
    field, weight = np.zeros((side, side), np.float32), 1.0
    roughness, cells = random.uniform(0.35, 0.75), random.choice((2, 3, 4))
    while cells < side:
        grid = Image.fromarray(numbers.random((cells, cells), dtype=np.float32))
        field += weight * np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))
        weight, cells = weight * roughness, cells * 2
    field = (field - field.min()) / (field.max() - field.min())
    low, high = numbers.integers(0, 256, (2, 3)).astype(np.float32)
    return Image.fromarray((low + (high - low) * field[..., None]).astype(np.uint8))


def gradient(side: int, random: Random) -> Image.Image:
    """Four corner colours, blended."""
    numbers = np.random.default_rng(random.randrange(1 << 32))
    corners = Image.fromarray(numbers.integers(0, 256, (2, 2, 3), dtype=np.uint8))
    return corners.resize((side, side), Image.Resampling.BILINEAR)
