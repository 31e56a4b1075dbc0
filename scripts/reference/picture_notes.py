"""Tiny pictures of known pixels, and the notes of the forms that they are written in: `picture_forms.py`."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from picture_files import Array
from PIL import Image

SIDE = 8
Y, X = np.mgrid[0:SIDE, 0:SIDE]
RGB = np.stack([40 + 20 * X, 36 + 19 * Y, 220 - 9 * (X + Y)], -1).astype(np.uint8)
GREY = (10 + 15 * X + 16 * Y).astype(np.uint8)
ALPHA = (255 - 30 * X).astype(np.uint8)
RGB16 = (RGB.astype(np.uint16) * 257 + np.stack([X * 16 - 60, Y * 15 - 50, X + Y], -1)).astype(np.uint16)
GREY16 = (GREY.astype(np.uint16) * 257 + 5 * X * Y - 120).astype(np.uint16)
ALPHA16 = (ALPHA.astype(np.uint16) * 257).astype(np.uint16)
NOTED: list[dict[str, Any]] = []
TENSORS: dict[str, Array] = {}
SHOWN: dict[tuple[tuple[int, ...], bytes], str] = {}


def grey3(grey: Array) -> Array:
    return np.repeat(np.asarray(grey)[..., None], 3, -1)


def rounded(values: Array) -> Array:
    return np.floor(np.asarray(values, np.float64) + 0.5).clip(0, 255).astype(np.uint8)


def of16(values: Array) -> Array:
    return rounded(values / 257.0)


def on_white(colours: Array, alpha: Array) -> Array:
    """Lay colours from 0 to 255 on white, by alpha from 0 to 1."""
    return rounded(colours * alpha[..., None] + 255 * (1 - alpha[..., None]))


def pillow(data: bytes) -> Array:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")))[..., :3]


def right(group: str, name: str, data: bytes, pixels: Array | None = None, tolerance: int = 0, pillow_too: int | None = None) -> None:
    """Note a form that is drawn right; without pixels, as Pillow decodes it."""
    wanted = pillow(data) if pixels is None else np.array(pixels)
    if pillow_too is not None:
        difference = int(np.abs(pillow(data).astype(int) - wanted).max())
        assert difference <= pillow_too, f"Pillow reads {name} otherwise, by {difference}."
    assert wanted.dtype == np.uint8 and wanted.shape[2] == 3, name
    # Most forms show the same picture, which is stored once.
    shown = (wanted.shape, wanted.tobytes())
    first = SHOWN.setdefault(shown, f"{name}: pixels")
    TENSORS[first] = np.ascontiguousarray(wanted)
    note({"group": group, "name": name, "pixels": first, "tolerance": tolerance}, data)


def refused(name: str, data: bytes, words: str) -> None:
    """Note a form that is refused with a sentence that has these words."""
    note({"group": None, "name": name, "refusal": words}, data)


def note(row: dict[str, Any], data: bytes) -> None:
    assert f"{row['name']}: file" not in TENSORS, row["name"]
    NOTED.append(row)
    TENSORS[f"{row['name']}: file"] = np.frombuffer(data, np.uint8)


def saved(pixels: Array, kind: str, mode: str | None = None, **options: Any) -> bytes:
    output = io.BytesIO()
    image = Image.fromarray(pixels) if mode is None else Image.frombytes(mode, (SIDE, SIDE), pixels.tobytes())
    image.save(output, kind, **options)
    return output.getvalue()


def turned(orientation: int) -> Array:
    """Turn the picture as Exif's orientation has it shown."""
    flipped = [RGB, RGB[:, ::-1], RGB[::-1, ::-1], RGB[::-1], RGB.swapaxes(0, 1), np.rot90(RGB, -1), RGB[::-1, ::-1].swapaxes(0, 1), np.rot90(RGB)]
    return np.ascontiguousarray(flipped[orientation - 1])
