"""Draws a sheet of random edits, before and after, to look at: `python -m training.preview out/scenes.png [SEED [KIND]]`."""

from __future__ import annotations

import sys
import textwrap
from random import Random

from PIL import Image, ImageDraw

from training.scenes.compose import sizes
from training.scenes.edits import draw_edit
from training.scenes.render import render


def main(path: str, seed: int = 0, kind: str | None = None, columns: int = 5, rows: int = 8, native: int = 128) -> None:
    random = Random(seed)
    width, height = 2 * native * 4 // 3 + 12, native * 4 // 3 + 30
    sheet = Image.new("RGB", (columns * width, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for index in range(columns * rows):
        edit = draw_edit(random, kind)
        x, y = index % columns * width, index // columns * height
        size = sizes(native)[edit.before.shape]
        sheet.paste(render(edit.before, size), (x, y))
        sheet.paste(render(edit.after, size), (x + size[0] + 2, y))
        for line, words in enumerate(textwrap.wrap(edit.instruction, 52)[:2]):
            draw.text((x + 2, y + size[1] + 1 + 11 * line), words, fill="black")
    sheet.save(path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0, sys.argv[3] if len(sys.argv) > 3 else None)
