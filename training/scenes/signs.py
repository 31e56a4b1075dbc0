"""Signs: a board on a post with one short word on it."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

WORDS = (
    "OPEN", "SALE", "CAFE", "STOP", "EXIT", "HELLO", "ZOO", "BUS", "TAXI", "HOTEL", "PIZZA", "FREE", "PARK", "SHOP", "LOVE", "YES",
)  # fmt: skip

WIDTH, HEIGHT = 112, 88


@lru_cache(maxsize=64)
def sign(word: str, large: bool = False) -> Image.Image:
    """The board with straight alpha, 112 x 88 pixels, or 640 x 503 if `large`."""
    scale = 640 / WIDTH if large else 1.0
    factor = scale * 4  # drawn at four times the size and reduced, since the drawing library does not smooth edges
    image = Image.new("RGBA", (round(WIDTH * factor), round(HEIGHT * factor)))
    draw = ImageDraw.Draw(image)

    def box(x0: float, y0: float, x1: float, y1: float, radius: float, fill: tuple[int, int, int]) -> None:
        draw.rounded_rectangle([x0 * factor, y0 * factor, x1 * factor, y1 * factor], radius * factor, fill=(*fill, 255))

    box(51, 40, 61, 88, 1, (120, 84, 52))
    box(0, 0, 112, 54, 6, (120, 84, 52))
    box(4, 4, 108, 50, 4, (250, 244, 226))
    font = ImageFont.load_default(size=(38 if len(word) <= 4 else 32) * factor)
    draw.text((56 * factor, 27 * factor), word, fill=(40, 36, 40, 255), font=font, anchor="mm", stroke_width=factor, stroke_fill=(40, 36, 40, 255))
    return image.resize((round(WIDTH * scale), round(HEIGHT * scale)), Image.Resampling.BOX)
