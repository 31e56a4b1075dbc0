"""Draws held-out edits at full size for `npm run eval:preserve`: `python -m training.preserve_set FOLDER COUNT`.

Each is a source and the truth, `ID.source.png` and `ID.truth.png`, 1024 x 1024, and a row of `edits.json`. The scenes are new:
their seeds are used by neither the training nor evaluation/set. Photographs and computed edits of colour and light on them
come from the data of scikit-image, whose licences NOTICE names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from training.evaluation_set import COUNTS
from training.scenes.edits import draw_any_edit, held_out
from training.scenes.render import render

SIDE = 1024
WHEEL = "scikit-image==0.26.0"
# In the wheel's skimage/data: astronaut and hubble_deep_field are of NASA (public domain), the others CC0.
PHOTOGRAPHS = {
    "astronaut": "astronaut.png", "cat": "chelsea.png", "coffee": "coffee.png", "galaxies": "hubble_deep_field.jpg",
    "rocket": "rocket.jpg", "grass": "grass.png", "gravel": "gravel.png", "brick": "brick.png", "photographer": "camera.png",
}  # fmt: skip

Array = np.ndarray


def _linear(picture: Array) -> Array:
    return np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)


def _srgb(light: Array) -> Array:
    light = light.clip(0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _grey(picture: Array) -> Array:
    return (picture @ np.array([0.299, 0.587, 0.114]))[..., None]


def _relight(picture: Array) -> Array:
    """A lamp at the upper left: light falls off with the distance."""
    height, width, _ = picture.shape
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x / width - 0.2, y / height - 0.15)
    return _srgb(_linear(picture) * (0.25 + 1.2 * np.exp(-3 * distance**2))[..., None])


def _recolour(picture: Array) -> Array:
    """Reds become blues: the share of each pixel that is red is exchanged, with soft limits."""
    red = (picture[..., 0] - np.maximum(picture[..., 1], picture[..., 2])).clip(0, 1)[..., None]
    return picture + (np.roll(picture, 2, axis=2) - picture) * (red * 4).clip(0, 1)


# Values are 0 to 1 in sRGB.
COLOUR_EDITS = {
    "night": lambda p: _srgb(_linear(p) * np.array([0.06, 0.09, 0.2])),
    "sepia": lambda p: (_grey(p) * np.array([1.07, 0.86, 0.63])),
    "grey": lambda p: _grey(p).repeat(3, axis=2),
    "golden hour": lambda p: _srgb(_linear(p) * np.array([1.25, 0.85, 0.5])),
    "autumn": lambda p: p @ np.array([[0.75, 0.1, 0.05], [0.45, 0.65, 0.05], [0.0, 0.05, 0.6]]),
    "contrast": lambda p: p + 0.22 * np.sin(2 * np.pi * (p - 0.5)) / 2,
    "relight": _relight,
    "recolour": _recolour,
}


def draw_scene_edit(job: tuple[str, int, str]) -> dict[str, object]:
    kind, number, folder = job
    random = Random(f"preserve {kind} {number}")
    while True:
        edit = draw_any_edit(random, kind, None, "square")
        if held_out(edit):
            break
    identity = f"{kind}-{number:02}"
    render(edit.before, (SIDE, SIDE)).save(Path(folder, f"{identity}.source.png"), compress_level=1)
    render(edit.after, (SIDE, SIDE)).save(Path(folder, f"{identity}.truth.png"), compress_level=1)
    style = edit.after.style if edit.after.style != edit.before.style else None
    return {"id": identity, "kind": kind, "style": style, "instruction": edit.instruction}


def counts(total: int) -> dict[str, int]:
    """As many of each kind as evaluation/set has, of `total`, at least two."""
    whole = sum(COUNTS.values())
    shares = {kind: max(2, round(count * total / whole)) for kind, count in COUNTS.items()}
    largest = max(shares, key=lambda kind: shares[kind])
    shares[largest] += total - sum(shares.values())
    return shares


def photographs(folder: Path) -> dict[str, Image.Image]:
    """From the wheel, which is a zip file."""
    cache = folder / "wheel"
    if not list(cache.glob("*.whl")):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), WHEEL]
        subprocess.run(pip, check=True)
    with zipfile.ZipFile(next(cache.glob("*.whl"))) as wheel:
        return {
            name: Image.open(BytesIO(wheel.read(f"skimage/data/{file}"))).convert("RGB") for name, file in PHOTOGRAPHS.items()
        }


def draw_colour_edits(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, picture in photographs(folder).items():
        source = np.asarray(picture, np.float64) / 255
        for edit, change in COLOUR_EDITS.items():
            identity = f"photo-{name}-{edit.replace(' ', '-')}"
            picture.save(folder / f"{identity}.source.png", compress_level=1)
            truth = (change(source).clip(0, 1) * 255).round().astype(np.uint8)
            Image.fromarray(truth).save(folder / f"{identity}.truth.png", compress_level=1)
            rows.append({"id": identity, "kind": "photograph", "style": edit, "instruction": edit})
    return rows


def main(folder: Path, total: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(kind, number, str(folder)) for kind, count in counts(total).items() for number in range(count)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(draw_scene_edit, jobs, chunksize=4))
    rows += draw_colour_edits(folder)
    (folder / "edits.json").write_text("[\n%s\n]\n" % ",\n".join(json.dumps(row) for row in rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
