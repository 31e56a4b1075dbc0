"""An image under construction: shapes whose places are fractions of its width and height."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]


def vary(colour: Colour, random: Random, amount: int = 14) -> Colour:
    return tuple(min(255, max(0, c + random.randint(-amount, amount))) for c in colour)  # type: ignore[return-value]


class Canvas:
    """x and y run from 0 to 1. Radii and line widths are fractions of `unit`, the side of a square of the same area."""

    def __init__(self, width: int, height: int, image: Image.Image | None = None) -> None:
        self.width, self.height = width, height
        self.unit = math.sqrt(width * height)
        self._show(image or Image.new("RGB", (width, height)))

    def _show(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)

    def fill(self, colour: Colour) -> None:
        self._show(Image.new("RGB", (self.width, self.height), colour))

    def gradient(self, top: Colour, bottom: Colour) -> None:
        ramp = np.linspace(0, 1, self.height, dtype=np.float32)[:, None, None]
        column = np.asarray(top, np.float32) * (1 - ramp) + np.asarray(bottom, np.float32) * ramp
        self._show(Image.fromarray(np.broadcast_to(column.astype(np.uint8), (self.height, self.width, 3)).copy()))

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.width, y * self.height) for x, y in points]

    def _around(self, x: float, y: float, across: float, down: float) -> list[float]:
        cx, cy, rx, ry = x * self.width, y * self.height, across * self.unit, down * self.unit
        return [cx - rx, cy - ry, cx + rx, cy + ry]

    def _pen(self, width: float) -> int:
        return max(1, round(width * self.unit))

    def disc(self, x: float, y: float, radius: float, fill: Colour) -> None:
        self.draw.ellipse(self._around(x, y, radius, radius), fill=fill)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        self.draw.ellipse([x0 * self.width, y0 * self.height, x1 * self.width, y1 * self.height], fill=fill)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        self.draw.rectangle([x0 * self.width, y0 * self.height, x1 * self.width, y1 * self.height], fill=fill)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.draw.polygon(self._scaled(points), fill=fill)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        self.draw.line(self._scaled(points), fill=fill, width=self._pen(width), joint="curve")

    def arc(self, x: float, y: float, across: float, down: float, start: int, end: int, fill: Colour, width: float) -> None:
        self.draw.arc(self._around(x, y, across, down), start, end, fill=fill, width=self._pen(width))

    def hill(self, level: float, height: float, random: Random, fill: Colour) -> None:
        """Fills everything below a gentle wave around `level`."""
        phase, waves = random.uniform(0, 6.28), random.uniform(0.6, 1.4)
        points = [(x / 16, level + height * math.sin(phase + waves * x / 16 * 6.28)) for x in range(17)]
        self.polygon([*points, (1, 1), (0, 1)], fill)

    def puff(self, x: float, y: float, width: float, fill: Colour) -> None:
        """A small cloud."""
        for dx, dy, r in ((-0.3, 0.03, 0.16), (-0.08, -0.06, 0.22), (0.16, -0.02, 0.18), (0.34, 0.05, 0.13)):
            self.disc(x + dx * width, y + dy * width, r * width, fill)

    def stars(self, random: Random, count: int, below: float = 1.0) -> None:
        for _ in range(count):
            light = random.randint(150, 255)
            radius = random.choice((0.006, 0.008, 0.012))
            self.disc(random.random(), random.random() * below, radius, (light, light, random.randint(light - 30, 255)))

    def ridge(self, base: float, random: Random, fill: Colour, snow: Colour | None) -> None:
        """A chain of peaks standing on `base`, with caps of snow."""
        x = random.uniform(-0.2, 0.0)
        while x < 1.0:
            width, height = random.uniform(0.35, 0.6), random.uniform(0.25, 0.45)
            top = (x + width / 2, base - height)
            self.polygon([(x, base), top, (x + width, base)], fill)
            if snow:
                self.polygon([(top[0] - width * 0.14, top[1] + height * 0.28), top, (top[0] + width * 0.14, top[1] + height * 0.28)], snow)
            x += width * random.uniform(0.5, 0.8)
