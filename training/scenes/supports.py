"""What an object may sit on, and the weather around it, drawn on a canvas."""

from __future__ import annotations

from random import Random

from training.scenes.canvas import Canvas

SUPPORTS = ("cloud", "branch", "rock", "cushion")

WEATHERS = ("snowfall", "rain", "rainbow", "sun", "moon")
BEHIND = ("rainbow", "sun", "moon")  # drawn before the objects; the others fall in front of them


def draw_support(canvas: Canvas, support: str, x: float, y: float, width: float, seed: int) -> None:
    """Draws the support of an object `width` units wide whose feet are at (x, y); they reach a little into it."""
    random = Random(seed)
    across, down = canvas.unit / canvas.width, canvas.unit / canvas.height  # a unit, in fractions of each side
    if support == "cloud":
        span = max(width * 1.5, 0.5)
        lobes = [(k / 6 - 0.5, random.uniform(0.085, 0.12) * (1.25 - abs(k / 6 - 0.5))) for k in range(7)]
        for drop, fill in ((0.055, (196, 208, 226)), (0.03, (226, 234, 246)), (0.01, (250, 252, 255))):
            for place, radius in lobes:
                canvas.disc(x + place * span * across, y + (drop + 0.02) * down, radius, fill)
    elif support == "branch":
        tilt, middle = random.uniform(-0.04, 0.04), y + 0.012 * down
        canvas.line([(-0.02, middle + tilt), (0.5, middle), (1.02, middle - tilt)], (110, 75, 45), 0.045)
        for place in (0.06, 0.2, 0.82, 0.95):
            leaf = middle + tilt * (1 - 2 * place)
            canvas.ellipse(place - 0.04, leaf - 0.05 * down, place + 0.04, leaf - 0.005 * down, (80, 155, 60))
    elif support == "rock":
        half = max(width * 0.62, 0.2)
        outline = [(-half, 0.13), (-half * 0.8, 0.02), (-half * 0.3, -0.02), (half * 0.5, -0.015), (half * 0.85, 0.04), (half, 0.13)]
        lit = [(-half * 0.8, 0.02), (-half * 0.3, -0.02), (half * 0.5, -0.015), (half * 0.3, 0.025), (-half * 0.4, 0.035)]
        for points, fill in ((outline, (128, 124, 122)), (lit, (165, 160, 156))):
            canvas.polygon([(x + px * across, y + py * down) for px, py in points], fill)
    elif support == "cushion":
        half = max(width * 0.6, 0.2) * across
        canvas.ellipse(x - half, y - 0.035 * down, x + half, y + 0.12 * down, (150, 40, 70))
        canvas.ellipse(x - half * 0.92, y - 0.03 * down, x + half * 0.92, y + 0.06 * down, (200, 65, 95))
    else:
        raise ValueError(f"No support is called {support}.")


def draw_weather(canvas: Canvas, weather: str) -> None:
    """Draws one of WEATHERS, always in the same way, because the model could only guess details that vary."""
    random = Random(7)
    if weather == "snowfall":
        for _ in range(70):
            canvas.disc(random.random(), random.random(), random.uniform(0.007, 0.013), (255, 255, 255))
    elif weather == "rain":
        for _ in range(60):
            x, y = random.random(), random.random()
            canvas.line([(x, y), (x - 0.02, y + 0.07)], (170, 195, 230), 0.009)
    elif weather == "sun":
        canvas.disc(0.84, 0.16, 0.11, (255, 205, 50))
        canvas.disc(0.84, 0.16, 0.085, (255, 228, 95))
    elif weather == "moon":
        canvas.disc(0.16, 0.16, 0.1, (246, 242, 215))
        canvas.disc(0.145, 0.14, 0.025, (222, 216, 186))
    elif weather == "rainbow":
        bands = ((230, 60, 60), (245, 150, 50), (250, 225, 80), (80, 185, 90), (70, 120, 225), (140, 80, 190))
        for band, fill in enumerate(bands):
            reach = 0.52 - band * 0.025
            canvas.arc(0.5, 0.62, reach, reach, 180, 360, fill, 0.028)
    else:
        raise ValueError(f"No weather is called {weather}.")
