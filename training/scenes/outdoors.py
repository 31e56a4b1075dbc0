"""Backgrounds under the sky. Each painter takes a canvas and a random source: one seed gives one image at any size."""

from __future__ import annotations

import math
from random import Random

from training.scenes.canvas import Canvas, vary


def meadow(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((120, 190, 245), random), vary((215, 238, 255), random))
    if random.random() < 0.6:
        canvas.puff(random.random(), random.uniform(0.12, 0.3), 0.3, (250, 252, 255))
    level = random.uniform(0.55, 0.68)
    canvas.hill(level, 0.03, random, vary((120, 195, 90), random))
    canvas.hill(level + 0.12, 0.03, random, vary((90, 172, 66), random))
    for _ in range(random.randint(4, 12)):
        flower = random.choice(((250, 240, 120), (250, 250, 250), (240, 120, 150)))
        canvas.disc(random.random(), random.uniform(level + 0.17, 1), 0.010, flower)


def beach(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((110, 195, 250), random), vary((205, 238, 255), random))
    canvas.disc(random.uniform(0.1, 0.9), random.uniform(0.1, 0.2), 0.07, (255, 240, 150))
    level = random.uniform(0.42, 0.52)
    canvas.box(0, level, 1, 1, vary((30, 140, 195), random))
    canvas.box(0, level + 0.07, 1, 1, vary((60, 175, 210), random))
    canvas.hill(level + 0.17, 0.015, random, (235, 248, 250))
    canvas.hill(level + 0.19, 0.015, random, vary((240, 215, 155), random))


def desert(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((250, 190, 110), random), vary((255, 232, 180), random))
    canvas.disc(random.uniform(0.15, 0.85), random.uniform(0.12, 0.25), 0.08, (255, 245, 200))
    level = random.uniform(0.52, 0.62)
    canvas.hill(level, 0.05, random, vary((225, 165, 90), random))
    canvas.hill(level + 0.14, 0.04, random, vary((210, 145, 70), random))
    for _ in range(random.randint(0, 2)):
        x, y = random.random(), level + random.uniform(0.02, 0.1)
        canvas.box(x - 0.012, y - 0.14, x + 0.012, y, (70, 130, 70))
        canvas.box(x - 0.05, y - 0.09, x + 0.05, y - 0.07, (70, 130, 70))


def forest(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((120, 170, 130), random), vary((170, 205, 150), random))
    level = random.uniform(0.62, 0.7)
    for green in ((60, 115, 75), (38, 88, 52)):
        for _ in range(6):
            x, width, top = random.random(), random.uniform(0.1, 0.16), random.uniform(0.05, 0.3)
            canvas.box(x - 0.015, level - 0.1, x + 0.015, level + 0.04, (85, 58, 38))
            for tier in range(3):
                y = top + tier * 0.13
                points = [(x - width, y + 0.22), (x, y), (x + width, y + 0.22)]
                canvas.polygon(points, vary(green, random, 6))
    canvas.hill(level, 0.015, random, vary((66, 112, 50), random))


def snow(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((165, 195, 225), random), vary((225, 235, 245), random, 8))
    level = random.uniform(0.55, 0.65)
    for _ in range(random.randint(2, 5)):
        x, top = random.random(), level - random.uniform(0.2, 0.32)
        for tier in range(2):
            y, width = top + tier * 0.1, 0.07 + tier * 0.02
            points = [(x - width, y + 0.17), (x, y), (x + width, y + 0.17)]
            canvas.polygon(points, vary((150, 180, 190), random, 8))
    canvas.hill(level, 0.02, random, (236, 241, 248))
    canvas.hill(level + 0.15, 0.02, random, (248, 250, 253))
    for _ in range(26):
        canvas.disc(random.random(), random.random(), random.choice((0.007, 0.010)), (255, 255, 255))


def sunset(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((90, 60, 130), random), vary((255, 165, 80), random))
    level = random.uniform(0.62, 0.7)
    canvas.disc(random.uniform(0.2, 0.8), level - 0.02, 0.13, (255, 225, 120))
    for _ in range(3):
        y = random.uniform(0.15, 0.45)
        x = random.random()
        canvas.ellipse(x - 0.25, y, x + 0.25, y + 0.04, vary((235, 120, 110), random))
    canvas.box(0, level, 1, 1, vary((80, 45, 85), random))


def underwater(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((50, 175, 215), random), vary((8, 60, 125), random))
    canvas.hill(random.uniform(0.84, 0.9), 0.02, random, vary((195, 180, 130), random))
    for _ in range(random.randint(4, 8)):
        x, height = random.random(), random.uniform(0.12, 0.35)
        points = [(x + 0.02 * math.sin(k * 1.3), 0.97 - height * k / 6) for k in range(7)]
        canvas.line(points, vary((30, 130, 80), random), 0.022)
    for _ in range(random.randint(8, 16)):
        canvas.disc(random.random(), random.random() * 0.85, random.uniform(0.006, 0.018), (165, 225, 245))


def space(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((8, 8, 26), random, 6), vary((26, 14, 52), random, 10))
    canvas.stars(random, 34)
    if random.random() < 0.75:
        x, y, radius = random.choice((0.14, 0.86)), random.uniform(0.12, 0.3), random.uniform(0.06, 0.1)
        planet = vary(random.choice(((215, 150, 95), (200, 90, 70), (120, 170, 215))), random)
        canvas.disc(x, y, radius, planet)
        canvas.arc(x, y, radius * 1.7, radius * 0.35, 0, 180, (235, 215, 170), 0.011)


def night(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((14, 24, 66), random, 8), vary((52, 74, 130), random))
    canvas.stars(random, 16, below=0.55)
    canvas.disc(random.uniform(0.12, 0.88), random.uniform(0.12, 0.24), 0.075, (250, 245, 215))
    level = random.uniform(0.64, 0.72)
    canvas.hill(level, 0.03, random, vary((20, 42, 48), random, 6))
    canvas.hill(level + 0.13, 0.03, random, vary((14, 30, 36), random, 6))


def mountains(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((130, 185, 235), random), vary((225, 238, 248), random))
    level = random.uniform(0.62, 0.7)
    canvas.ridge(level, random, vary((140, 150, 175), random), (245, 248, 252))
    canvas.ridge(level + 0.03, random, vary((100, 112, 135), random), (240, 244, 250))
    canvas.hill(level, 0.02, random, vary((110, 150, 95), random))


def sky(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((75, 155, 235), random), vary((190, 225, 252), random))
    for _ in range(random.randint(3, 6)):
        canvas.puff(random.random(), random.random(), random.uniform(0.2, 0.38), (246, 250, 255))


def volcano(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((50, 24, 30), random, 8), vary((150, 50, 30), random))
    x, level = random.uniform(0.3, 0.7), random.uniform(0.68, 0.74)
    cone = [(x - 0.45, level), (x - 0.1, 0.22), (x + 0.1, 0.22), (x + 0.45, level)]
    canvas.polygon(cone, vary((68, 46, 46), random, 6))
    stream = [(x - 0.09, 0.22), (x + 0.09, 0.22), (x + 0.03, 0.45), (x + 0.1, level), (x - 0.08, level)]
    canvas.polygon(stream, (255, 130, 30))
    canvas.hill(level, 0.02, random, (240, 90, 25))
    canvas.hill(level + 0.07, 0.02, random, vary((60, 38, 38), random, 6))


def autumn(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((190, 205, 220), random), vary((240, 230, 205), random))
    level = random.uniform(0.64, 0.72)
    for leaves in ((215, 120, 40), (190, 65, 35), (225, 165, 50)):
        for _ in range(2):
            x, top = random.random(), random.uniform(0.2, 0.36)
            canvas.box(x - 0.018, top, x + 0.018, level + 0.03, (96, 66, 44))
            for dx, dy in ((-0.07, 0.04), (0.07, 0.03), (0, -0.04)):
                canvas.disc(x + dx, top + dy, 0.1, vary(leaves, random, 8))
    canvas.hill(level, 0.015, random, vary((176, 132, 70), random))
    for _ in range(random.randint(8, 16)):
        leaf = random.choice(((215, 120, 40), (190, 65, 35), (225, 165, 50)))
        canvas.disc(random.random(), random.uniform(level + 0.06, 1), 0.012, leaf)


def lake(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((150, 205, 245), random), vary((228, 240, 248), random))
    level = random.uniform(0.5, 0.58)
    for _ in range(5):
        x, width = random.random(), random.uniform(0.1, 0.2)
        canvas.polygon([(x - width, level), (x, level - random.uniform(0.08, 0.2)), (x + width, level)], vary((72, 128, 92), random, 10))
    canvas.box(0, level, 1, 1, vary((70, 150, 190), random))
    for _ in range(7):
        x, y = random.random(), random.uniform(level + 0.04, 0.95)
        canvas.ellipse(x - 0.12, y, x + 0.12, y + 0.012, (150, 205, 228))


def cave(canvas: Canvas, random: Random) -> None:
    canvas.fill(vary((66, 58, 62), random, 8))
    x, y = random.uniform(0.35, 0.65), random.uniform(0.36, 0.46)
    for radius, light in ((0.4, 20), (0.3, 44), (0.2, 84)):
        canvas.disc(x, y, radius, (62 + light, 56 + light, 62 + light))
    for k in range(7):
        at, width = k / 6 + random.uniform(-0.05, 0.05), random.uniform(0.05, 0.09)
        canvas.polygon([(at - width, 0), (at, random.uniform(0.12, 0.28)), (at + width, 0)], vary((44, 38, 42), random, 6))
    canvas.hill(random.uniform(0.7, 0.78), 0.025, random, vary((92, 80, 76), random, 8))
