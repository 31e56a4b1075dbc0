"""What Pillow and diffusers' image processor make of masks and crops: blur, resize, region, fill, crop and overlay."""

from __future__ import annotations

from typing import Any

import numpy
import torch
from cases import draw_scene
from diffusers.image_processor import VaeImageProcessor
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def draw_mask(kind: str, width: int, height: int) -> Image.Image:
    """Draw a mask in grey; the same on every machine (integers only)."""
    rows, columns = numpy.mgrid[0:height, 0:width]
    pixels: NDArray[numpy.uint8] = numpy.zeros((height, width), dtype=numpy.uint8)
    if kind == "disc":
        pixels[(columns - width * 5 // 8) ** 2 + (rows - height // 2) ** 2 < (min(width, height) // 3) ** 2] = 255
    elif kind == "edge":  # of a rectangle that goes on beyond the picture
        pixels[height // 3 : height, width * 2 // 3 : width] = 255
    elif kind == "soft":
        pixels[...] = numpy.clip((columns * 3 + rows) * 255 // (width * 2 + height), 0, 255)
        pixels[:, : width // 4] = 0
    elif kind == "corner":
        pixels[: height // 3, : width // 4] = 255
    elif kind == "dots":
        pixels[height // 2 : height // 2 + 3, width // 3 : width // 3 + 11] = 200
        pixels[height // 2 - 4, width // 3 + 5] = 90
    elif kind == "bar":
        pixels[:, width // 3 : width // 2] = 255
    return Image.fromarray(pixels)


# Size of the image, kind of the mask, size of the network, padding, blur.
CROPS: list[tuple[tuple[int, int], str, tuple[int, int], int, float]] = [
    ((64, 48), "disc", (64, 48), 4, 0),
    ((61, 45), "edge", (64, 48), 8, 0),
    ((97, 50), "corner", (96, 48), 0, 0),
    ((50, 97), "dots", (48, 96), 3, 0),
    ((80, 64), "dots", (80, 64), 0, 2.5),
    ((64, 64), "bar", (64, 64), 5, 0),
    ((40, 90), "bar", (32, 80), 1, 0.7),
    ((90, 40), "soft", (80, 32), 2, 4),
]
BLURS = [0.3, 1, 2.5, 4, 12, 40]
SIZES = [(64, 48), (31, 77), (128, 10), (7, 5)]


def tensor_of(image: Image.Image) -> Tensor:
    return torch.from_numpy(numpy.array(image))


def mask_fixtures() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Give the crops with their regions, and every picture by `crop.INDEX.NAME`, `blur.INDEX` and `resize.INDEX`."""
    processor = VaeImageProcessor(do_normalize=False, do_binarize=True, do_convert_grayscale=True)
    tensors: dict[str, Tensor] = {}
    crops: list[dict[str, Any]] = []
    for index, (size, kind, working, padding, blur) in enumerate(CROPS):
        image, mask = draw_scene(*size), draw_mask(kind, *size)
        blurred = processor.blur(mask, blur) if blur else mask
        region = processor.get_crop_region(blurred, *working, pad=padding)
        filled = processor.resize(image.crop(region), working[1], working[0], "fill")
        drawn = filled.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left, top, right, bottom = region
        pictures = {
            "image": image,
            "mask": mask,
            "filled": filled,
            "filledMask": processor.resize(blurred.crop(region), working[1], working[0], "fill").convert("L"),
            "cropped": processor.resize(drawn, bottom - top, right - left, "crop"),
            "overlaid": processor.apply_overlay(blurred, image, drawn, region),
        }
        tensors |= {f"crop.{index}.{name}": tensor_of(picture) for name, picture in pictures.items()}
        crops.append({"working": working, "padding": padding, "blur": blur, "region": region})
    gray = draw_scene(43, 29).convert("L")
    tensors["gray"] = tensor_of(gray)
    for index, radius in enumerate(BLURS):
        tensors[f"blur.{index}"] = tensor_of(processor.blur(gray, radius))
    for index, side in enumerate(SIZES):
        tensors[f"resize.{index}"] = tensor_of(gray.resize(side, Image.Resampling.LANCZOS))
    return {"crops": crops, "blurs": BLURS, "sizes": SIZES}, {name: value.contiguous() for name, value in tensors.items()}
