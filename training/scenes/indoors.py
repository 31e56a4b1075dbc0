"""Backgrounds of houses and streets. Each painter takes a canvas and a random source, as in outdoors.py."""

from __future__ import annotations

from random import Random

from training.scenes.canvas import Canvas, vary


def city(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((150, 190, 225), random), vary((225, 230, 235), random))
    x, level = -0.02, random.uniform(0.72, 0.8)
    while x < 1:
        width, top = random.uniform(0.13, 0.22), random.uniform(0.08, 0.42)
        wall = vary(random.choice(((120, 130, 150), (165, 140, 125), (95, 110, 135), (180, 175, 170))), random)
        canvas.box(x, top, x + width, level, wall)
        lit = tuple(min(255, c + 70) for c in wall)
        for row in range(int((level - top) / 0.09)):
            for column in range(int(width / 0.055)):
                wx, wy = x + 0.02 + column * 0.052, top + 0.03 + row * 0.085
                canvas.box(wx, wy, wx + 0.025, wy + 0.04, lit)  # type: ignore[arg-type]
        x += width + random.uniform(0, 0.02)
    canvas.box(0, level, 1, 1, vary((100, 100, 106), random))
    for mark in range(5):
        canvas.box(mark * 0.22 + 0.03, level + 0.11, mark * 0.22 + 0.13, level + 0.125, (235, 235, 225))


def room(canvas: Canvas, random: Random) -> None:
    wall = vary(random.choice(((225, 205, 175), (190, 210, 200), (215, 195, 210))), random)
    canvas.fill(wall)
    level = random.uniform(0.64, 0.7)
    canvas.box(0, level, 1, 1, vary((165, 112, 68), random))
    canvas.box(0, level - 0.025, 1, level, (250, 246, 238))
    x = random.choice((0.06, 0.62))
    canvas.box(x, 0.1, x + 0.32, 0.44, (250, 246, 238))
    canvas.box(x + 0.02, 0.12, x + 0.30, 0.42, (165, 210, 240))
    canvas.box(x + 0.152, 0.12, x + 0.168, 0.42, (250, 246, 238))
    for plank in range(4):
        y = level + 0.08 * (plank + 1)
        canvas.box(0, y, 1, y + 0.006, (135, 90, 54))


def kitchen(canvas: Canvas, random: Random) -> None:
    tile = vary(random.choice(((228, 236, 238), (232, 226, 208), (205, 228, 218))), random, 6)
    canvas.fill(tile)
    joint = (tile[0] - 26, tile[1] - 24, tile[2] - 22)
    for k in range(1, 9):
        canvas.box(k / 8 - 0.004, 0, k / 8 + 0.004, 0.66, joint)
        canvas.box(0, k / 8 - 0.004, 1, k / 8 + 0.004, joint)
    level = random.uniform(0.62, 0.68)
    canvas.box(0, level, 1, level + 0.05, vary((88, 84, 86), random))
    door = vary(random.choice(((196, 140, 92), (120, 160, 176), (214, 206, 196))), random)
    canvas.box(0, level + 0.05, 1, 1, door)
    for k in range(4):
        canvas.box(k * 0.25 + 0.018, level + 0.08, k * 0.25 + 0.232, 0.97, (door[0] - 22, door[1] - 20, door[2] - 18))
        canvas.disc(k * 0.25 + 0.2, level + 0.14, 0.012, (240, 236, 220))


def library(canvas: Canvas, random: Random) -> None:
    canvas.fill(vary((96, 62, 40), random, 8))
    level = random.uniform(0.7, 0.76)
    for row in range(3):
        top, bottom = 0.04 + row * level / 3, (row + 1) * level / 3 - 0.01
        canvas.box(0.03, top, 0.97, bottom, (58, 36, 24))
        x = 0.04
        while x < 0.93:
            width, height = random.uniform(0.03, 0.06), random.uniform(0.7, 0.98) * (bottom - top)
            book = random.choice(((176, 52, 50), (44, 92, 140), (58, 120, 76), (206, 160, 70), (126, 76, 140), (200, 190, 170)))
            canvas.box(x, bottom - height, x + width - 0.006, bottom, vary(book, random))
            x += width
    canvas.box(0, level, 1, 1, vary((150, 104, 66), random))
    canvas.ellipse(0.1, level + 0.08, 0.9, 1.04, vary((150, 58, 62), random))


def stage(canvas: Canvas, random: Random) -> None:
    canvas.gradient(vary((34, 20, 36), random, 6), vary((66, 34, 52), random, 8))
    curtain = vary(random.choice(((170, 30, 44), (120, 26, 90), (150, 36, 30))), random, 8)
    for k in range(5):
        shade = 1 - 0.16 * (k % 2)
        fold = (round(curtain[0] * shade), round(curtain[1] * shade), round(curtain[2] * shade))
        canvas.box(k * 0.045, 0, (k + 1) * 0.045, 0.8, fold)
        canvas.box(1 - (k + 1) * 0.045, 0, 1 - k * 0.045, 0.8, fold)
    canvas.box(0, 0, 1, 0.1, curtain)
    x = random.uniform(0.42, 0.58)
    canvas.polygon([(x - 0.06, 0.1), (x + 0.06, 0.1), (x + 0.28, 0.84), (x - 0.28, 0.84)], (112, 78, 84))
    canvas.box(0, 0.78, 1, 1, vary((146, 98, 58), random))
    canvas.ellipse(x - 0.32, 0.8, x + 0.32, 0.96, (226, 186, 128))
