"""Drawn backgrounds. Each takes a side in pixels and a random source, so one seed gives one picture at any size."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Painter = Callable[[int, Random], Image.Image]


def vary(colour: Colour, random: Random, amount: int = 14) -> Colour:
    return tuple(min(255, max(0, c + random.randint(-amount, amount))) for c in colour)  # type: ignore[return-value]


def gradient(side: int, top: Colour, bottom: Colour) -> Image.Image:
    ramp = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    column = np.asarray(top, np.float32) * (1 - ramp) + np.asarray(bottom, np.float32) * ramp
    return Image.fromarray(np.broadcast_to(column.astype(np.uint8), (side, side, 3)).copy())


def disc(draw: ImageDraw.ImageDraw, side: int, x: float, y: float, radius: float, fill: Colour) -> None:
    draw.ellipse([(x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side], fill=fill)


def box(draw: ImageDraw.ImageDraw, side: int, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
    draw.rectangle([x0 * side, y0 * side, x1 * side, y1 * side], fill=fill)


def hill(draw: ImageDraw.ImageDraw, side: int, level: float, height: float, random: Random, fill: Colour) -> None:
    """Fills everything below a gentle wave around `level`."""
    phase, waves = random.uniform(0, 6.28), random.uniform(0.6, 1.4)
    points = [(x / 16 * side, (level + height * math.sin(phase + waves * x / 16 * 6.28)) * side) for x in range(17)]
    draw.polygon([*points, (side, side), (0, side)], fill=fill)


def puff(draw: ImageDraw.ImageDraw, side: int, x: float, y: float, width: float, fill: Colour) -> None:
    for dx, dy, r in ((-0.3, 0.03, 0.16), (-0.08, -0.06, 0.22), (0.16, -0.02, 0.18), (0.34, 0.05, 0.13)):
        disc(draw, side, x + dx * width, y + dy * width, r * width, fill)


def stars(draw: ImageDraw.ImageDraw, side: int, random: Random, count: int, below: float = 1.0) -> None:
    for _ in range(count):
        light = random.randint(150, 255)
        radius = random.choice((0.006, 0.008, 0.012))
        disc(draw, side, random.random(), random.random() * below, radius, (light, light, random.randint(light - 30, 255)))


def ridge(draw: ImageDraw.ImageDraw, side: int, base: float, random: Random, fill: Colour, snow: Colour | None) -> None:
    x = random.uniform(-0.2, 0.0)
    while x < 1.0:
        width, height = random.uniform(0.35, 0.6), random.uniform(0.25, 0.45)
        peak = (x + width / 2, base - height)
        draw.polygon([(x * side, base * side), (peak[0] * side, peak[1] * side), ((x + width) * side, base * side)], fill=fill)
        if snow:
            cap = [(peak[0] - width * 0.14, peak[1] + height * 0.28), peak, (peak[0] + width * 0.14, peak[1] + height * 0.28)]
            draw.polygon([(px * side, py * side) for px, py in cap], fill=snow)
        x += width * random.uniform(0.5, 0.8)


def meadow(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((120, 190, 245), random), vary((215, 238, 255), random))
    draw = ImageDraw.Draw(image)
    if random.random() < 0.6:
        puff(draw, side, random.random(), random.uniform(0.12, 0.3), 0.3, (250, 252, 255))
    level = random.uniform(0.55, 0.68)
    hill(draw, side, level, 0.03, random, vary((120, 195, 90), random))
    hill(draw, side, level + 0.12, 0.03, random, vary((90, 172, 66), random))
    for _ in range(random.randint(4, 12)):
        flower = random.choice(((250, 240, 120), (250, 250, 250), (240, 120, 150)))
        disc(draw, side, random.random(), random.uniform(level + 0.17, 1), 0.010, flower)
    return image


def beach(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((110, 195, 250), random), vary((205, 238, 255), random))
    draw = ImageDraw.Draw(image)
    disc(draw, side, random.uniform(0.1, 0.9), random.uniform(0.1, 0.2), 0.07, (255, 240, 150))
    level = random.uniform(0.42, 0.52)
    box(draw, side, 0, level, 1, 1, vary((30, 140, 195), random))
    box(draw, side, 0, level + 0.07, 1, 1, vary((60, 175, 210), random))
    hill(draw, side, level + 0.17, 0.015, random, (235, 248, 250))
    hill(draw, side, level + 0.19, 0.015, random, vary((240, 215, 155), random))
    return image


def desert(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((250, 190, 110), random), vary((255, 232, 180), random))
    draw = ImageDraw.Draw(image)
    disc(draw, side, random.uniform(0.15, 0.85), random.uniform(0.12, 0.25), 0.08, (255, 245, 200))
    level = random.uniform(0.52, 0.62)
    hill(draw, side, level, 0.05, random, vary((225, 165, 90), random))
    hill(draw, side, level + 0.14, 0.04, random, vary((210, 145, 70), random))
    for _ in range(random.randint(0, 2)):
        x, y = random.random(), level + random.uniform(0.02, 0.1)
        box(draw, side, x - 0.012, y - 0.14, x + 0.012, y, (70, 130, 70))
        box(draw, side, x - 0.05, y - 0.09, x + 0.05, y - 0.07, (70, 130, 70))
    return image


def forest(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((120, 170, 130), random), vary((170, 205, 150), random))
    draw = ImageDraw.Draw(image)
    level = random.uniform(0.62, 0.7)
    for green in ((60, 115, 75), (38, 88, 52)):
        for _ in range(6):
            x, width, top = random.random(), random.uniform(0.1, 0.16), random.uniform(0.05, 0.3)
            box(draw, side, x - 0.015, level - 0.1, x + 0.015, level + 0.04, (85, 58, 38))
            for tier in range(3):
                y = top + tier * 0.13
                points = [(x - width, y + 0.22), (x, y), (x + width, y + 0.22)]
                draw.polygon([(px * side, py * side) for px, py in points], fill=vary(green, random, 6))
    hill(draw, side, level, 0.015, random, vary((66, 112, 50), random))
    return image


def snow(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((165, 195, 225), random), vary((225, 235, 245), random, 8))
    draw = ImageDraw.Draw(image)
    level = random.uniform(0.55, 0.65)
    for _ in range(random.randint(2, 5)):
        x, top = random.random(), level - random.uniform(0.2, 0.32)
        for tier in range(2):
            y, width = top + tier * 0.1, 0.07 + tier * 0.02
            points = [(x - width, y + 0.17), (x, y), (x + width, y + 0.17)]
            draw.polygon([(px * side, py * side) for px, py in points], fill=vary((150, 180, 190), random, 8))
    hill(draw, side, level, 0.02, random, (236, 241, 248))
    hill(draw, side, level + 0.15, 0.02, random, (248, 250, 253))
    for _ in range(26):
        disc(draw, side, random.random(), random.random(), random.choice((0.007, 0.010)), (255, 255, 255))
    return image


def city(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((150, 190, 225), random), vary((225, 230, 235), random))
    draw = ImageDraw.Draw(image)
    x, level = -0.02, random.uniform(0.72, 0.8)
    while x < 1:
        width, top = random.uniform(0.13, 0.22), random.uniform(0.08, 0.42)
        wall = vary(random.choice(((120, 130, 150), (165, 140, 125), (95, 110, 135), (180, 175, 170))), random)
        box(draw, side, x, top, x + width, level, wall)
        lit = tuple(min(255, c + 70) for c in wall)
        for row in range(int((level - top) / 0.09)):
            for column in range(int(width / 0.055)):
                wx, wy = x + 0.02 + column * 0.052, top + 0.03 + row * 0.085
                box(draw, side, wx, wy, wx + 0.025, wy + 0.04, lit)  # type: ignore[arg-type]
        x += width + random.uniform(0, 0.02)
    box(draw, side, 0, level, 1, 1, vary((100, 100, 106), random))
    for mark in range(5):
        box(draw, side, mark * 0.22 + 0.03, level + 0.11, mark * 0.22 + 0.13, level + 0.125, (235, 235, 225))
    return image


def sunset(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((90, 60, 130), random), vary((255, 165, 80), random))
    draw = ImageDraw.Draw(image)
    level = random.uniform(0.62, 0.7)
    disc(draw, side, random.uniform(0.2, 0.8), level - 0.02, 0.13, (255, 225, 120))
    for _ in range(3):
        y = random.uniform(0.15, 0.45)
        x = random.random()
        draw.ellipse([(x - 0.25) * side, y * side, (x + 0.25) * side, (y + 0.04) * side], fill=vary((235, 120, 110), random))
    box(draw, side, 0, level, 1, 1, vary((80, 45, 85), random))
    return image


def underwater(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((50, 175, 215), random), vary((8, 60, 125), random))
    draw = ImageDraw.Draw(image)
    hill(draw, side, random.uniform(0.84, 0.9), 0.02, random, vary((195, 180, 130), random))
    for _ in range(random.randint(4, 8)):
        x, height = random.random(), random.uniform(0.12, 0.35)
        points = [((x + 0.02 * math.sin(k * 1.3)) * side, (0.97 - height * k / 6) * side) for k in range(7)]
        draw.line(points, fill=vary((30, 130, 80), random), width=max(2, side // 45))
    for _ in range(random.randint(8, 16)):
        disc(draw, side, random.random(), random.random() * 0.85, random.uniform(0.006, 0.018), (165, 225, 245))
    return image


def space(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((8, 8, 26), random, 6), vary((26, 14, 52), random, 10))
    draw = ImageDraw.Draw(image)
    stars(draw, side, random, 34)
    if random.random() < 0.75:
        x, y, radius = random.choice((0.14, 0.86)), random.uniform(0.12, 0.3), random.uniform(0.06, 0.1)
        planet = vary(random.choice(((215, 150, 95), (200, 90, 70), (120, 170, 215))), random)
        disc(draw, side, x, y, radius, planet)
        ring = [(x - radius * 1.7) * side, (y - radius * 0.35) * side, (x + radius * 1.7) * side, (y + radius * 0.35) * side]
        draw.arc(ring, 0, 180, fill=(235, 215, 170), width=max(1, side // 90))
    return image


def night(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((14, 24, 66), random, 8), vary((52, 74, 130), random))
    draw = ImageDraw.Draw(image)
    stars(draw, side, random, 16, below=0.55)
    disc(draw, side, random.uniform(0.12, 0.88), random.uniform(0.12, 0.24), 0.075, (250, 245, 215))
    level = random.uniform(0.64, 0.72)
    hill(draw, side, level, 0.03, random, vary((20, 42, 48), random, 6))
    hill(draw, side, level + 0.13, 0.03, random, vary((14, 30, 36), random, 6))
    return image


def mountains(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((130, 185, 235), random), vary((225, 238, 248), random))
    draw = ImageDraw.Draw(image)
    level = random.uniform(0.62, 0.7)
    ridge(draw, side, level, random, vary((140, 150, 175), random), (245, 248, 252))
    ridge(draw, side, level + 0.03, random, vary((100, 112, 135), random), (240, 244, 250))
    hill(draw, side, level, 0.02, random, vary((110, 150, 95), random))
    return image


def sky(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((75, 155, 235), random), vary((190, 225, 252), random))
    draw = ImageDraw.Draw(image)
    for _ in range(random.randint(3, 6)):
        puff(draw, side, random.random(), random.random(), random.uniform(0.2, 0.38), (246, 250, 255))
    return image


def room(side: int, random: Random) -> Image.Image:
    wall = vary(random.choice(((225, 205, 175), (190, 210, 200), (215, 195, 210))), random)
    image = Image.new("RGB", (side, side), wall)
    draw = ImageDraw.Draw(image)
    level = random.uniform(0.64, 0.7)
    box(draw, side, 0, level, 1, 1, vary((165, 112, 68), random))
    box(draw, side, 0, level - 0.025, 1, level, (250, 246, 238))
    x = random.choice((0.06, 0.62))
    box(draw, side, x, 0.1, x + 0.32, 0.44, (250, 246, 238))
    box(draw, side, x + 0.02, 0.12, x + 0.30, 0.42, (165, 210, 240))
    box(draw, side, x + 0.152, 0.12, x + 0.168, 0.42, (250, 246, 238))
    for plank in range(4):
        y = level + 0.08 * (plank + 1)
        box(draw, side, 0, y, 1, y + 0.006, (135, 90, 54))
    return image


def lava(side: int, random: Random) -> Image.Image:
    image = gradient(side, vary((50, 24, 30), random, 8), vary((150, 50, 30), random))
    draw = ImageDraw.Draw(image)
    x, level = random.uniform(0.3, 0.7), random.uniform(0.68, 0.74)
    cone = [(x - 0.45, level), (x - 0.1, 0.22), (x + 0.1, 0.22), (x + 0.45, level)]
    draw.polygon([(px * side, py * side) for px, py in cone], fill=vary((68, 46, 46), random, 6))
    stream = [(x - 0.09, 0.22), (x + 0.09, 0.22), (x + 0.03, 0.45), (x + 0.1, level), (x - 0.08, level)]
    draw.polygon([(px * side, py * side) for px, py in stream], fill=(255, 130, 30))
    hill(draw, side, level, 0.02, random, (240, 90, 25))
    hill(draw, side, level + 0.07, 0.02, random, vary((60, 38, 38), random, 6))
    return image


PAINTERS: dict[str, Painter] = {
    "meadow": meadow, "beach": beach, "desert": desert, "forest": forest, "snow": snow, "city": city,
    "sunset": sunset, "underwater": underwater, "space": space, "night": night, "mountains": mountains,
    "sky": sky, "room": room, "volcano": lava,
}  # fmt: skip

# Plain walls of one colour, named as in an instruction.
PLAIN: dict[str, Colour] = {
    "white": (245, 245, 245), "black": (18, 18, 20), "grey": (150, 150, 155), "red": (205, 50, 50),
    "orange": (240, 150, 60), "yellow": (245, 218, 95), "green": (90, 175, 100), "turquoise": (80, 195, 190),
    "blue": (75, 130, 220), "purple": (140, 95, 190), "pink": (245, 170, 200), "brown": (140, 100, 70),
}  # fmt: skip


def paint(name: str, side: int, seed: int) -> Image.Image:
    """Paints the background called `name`: one of PAINTERS, or one of PLAIN."""
    random = Random(seed)
    if name in PAINTERS:
        return PAINTERS[name](side, random)
    return Image.new("RGB", (side, side), vary(PLAIN[name], random, 8))
