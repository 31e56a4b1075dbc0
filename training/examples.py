"""Draws the example pictures, 1024 x 1024, from finer renderings of the objects: `python -m training.examples`."""

from __future__ import annotations

from pathlib import Path

from training.scenes.render import Placed, Scene, render

EXAMPLES = {
    "bluebird": Scene("meadow", 11, (Placed("bluebird", 0.5, 0.78, 0.55),), support="branch"),
    "fox": Scene("forest", 3, (Placed("fox", 0.5, 0.82, 0.5),)),
    "car": Scene("city", 5, (Placed("car", 0.5, 0.86, 0.6),)),
    "teapot": Scene("room", 8, (Placed("teapot", 0.48, 0.8, 0.5),), support="cushion"),
}


def main() -> None:
    folder = Path("examples")
    folder.mkdir(exist_ok=True)
    for name, scene in EXAMPLES.items():
        render(scene, (1024, 1024), large=True).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
