"""Draws a sheet of random edits, before and after, to look at: `python -m training.preview out/scenes.png`."""

from __future__ import annotations

import sys
from random import Random

from PIL import Image, ImageDraw

from training.scenes import draw_edit, render


def main(path: str, seed: int = 0, columns: int = 6, rows: int = 9, side: int = 128) -> None:
    random = Random(seed)
    sheet = Image.new("RGB", (columns * (2 * side + 12), rows * (side + 26)), "white")
    draw = ImageDraw.Draw(sheet)
    for index in range(columns * rows):
        edit = draw_edit(random)
        x, y = index % columns * (2 * side + 12), index // columns * (side + 26)
        sheet.paste(render(edit.before, side), (x, y))
        sheet.paste(render(edit.after, side), (x + side + 2, y))
        draw.text((x + 2, y + side + 1), edit.instruction[:48], fill="black")
        draw.text((x + 2, y + side + 12), edit.instruction[48:96], fill="black")
    sheet.save(path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
