"""Draws ordinary scenes and an instruction for each: `python scripts/safety/draw_scenes.py FOLDER COUNT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from training.scenes.edits import draw_edit
from training.scenes.render import render

SIZE = (128, 128)


def main(folder: str, count: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    instructions = []
    for number in range(int(count)):
        edit = draw_edit(Random(f"safety {number}"), shape="square")
        render(edit.before, SIZE).save(target / f"{number}.png")
        instructions.append(edit.instruction)
    (target / "instructions.json").write_text(json.dumps(instructions, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
