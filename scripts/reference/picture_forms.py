"""Tiny pictures in every form of every accepted format, with the pixels that they have in sRGB on white.

Pixels are known by construction. Those of lossy files are what Pillow decodes, those of profiles what lcms converts
(by Pillow); and where a form says so, Pillow has to agree with the construction.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from picture_colours import from_codes
from picture_files import gif, lossless_jpeg, png
from picture_forms_png import write_coded_colours, write_png_forms
from picture_forms_tiff import write_tiff_forms
from picture_notes import (
    ALPHA, GREY, NOTED, RGB, SHOWN, SIDE, TENSORS, X, Y, grey3, on_white, pillow, refused, right, rounded, saved, turned,
)
from picture_profiles import write_profiles
from PIL import Image
from safetensors.numpy import save_file


def without_times(data: bytes) -> bytes:
    """Clear when an ISO media file was written (ISO/IEC 14496-12, sections 8.2.2, 8.3.2 and 8.4.2)."""
    file = bytearray(data)
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        at = file.find(name) + 4
        if at > 4:
            size = 16 if file[at] == 1 else 8
            file[at + 4 : at + 4 + size] = bytes(size)
    return bytes(file)


def write_other_forms() -> None:
    jpeg = saved(RGB, "JPEG", quality=100, subsampling=0)
    for name, options in (("4:4:4", {"subsampling": 0}), ("4:2:2", {"subsampling": 1}), ("4:2:0", {"subsampling": 2}), ("progressive", {"progressive": True}), ("RGB", {"keep_rgb": True})):
        right("JPEG", f"JPEG {name}", saved(RGB, "JPEG", quality=100, **options), None, 3)
    right("JPEG", "JPEG grey", saved(GREY, "JPEG", quality=100), None, 1)
    right("JPEG, lossless", "JPEG lossless RGB", lossless_jpeg(RGB), RGB)
    right("JPEG, lossless", "JPEG lossless grey", lossless_jpeg(GREY), grey3(GREY))
    frame = jpeg.index(b"\xff\xc0")
    for marker, words in ((0xC5, "a hierarchical JPEG"), (0xC9, "arithmetic coding"), (0xCA, "arithmetic coding"), (0xF7, "a JPEG-LS image")):
        refused(f"JPEG {marker:X}", jpeg[: frame + 1] + bytes([marker]) + jpeg[frame + 2 :], words)
    for depth in (12, 16):
        refused(f"JPEG of {depth} bits", jpeg[: frame + 4] + bytes([depth]) + jpeg[frame + 5 :], f"a JPEG image of {depth} bits")
    refused("JPEG of 2 channels", jpeg[: frame + 9] + b"\2" + jpeg[frame + 10 :], "a JPEG image of 2 channels")
    refused("JPEG without a height", jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :], "does not say its height")

    clear = np.dstack([RGB, ALPHA])
    for kind, options, tolerance in (("WEBP", {"lossless": True, "exact": True}, 1), ("AVIF", {"quality": 100, "subsampling": "4:4:4"}, 4)):
        group = {"WEBP": "WebP", "AVIF": "AVIF"}[kind]
        wanted = RGB if kind == "WEBP" else None
        right(group, f"{group} RGB", saved(RGB, kind, **options), wanted, tolerance)
        right(group, f"{group} grey", saved(GREY, kind, **options), None, tolerance)
        right(group, f"{group} RGBA", saved(clear, kind, **options), None, tolerance)
        animated = {"save_all": True, "append_images": [Image.fromarray(255 - RGB)]}
        data = without_times(saved(RGB, kind, **options, **animated))
        right(f"{group}, animated", f"{group} animated", data, None, tolerance)
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[274] = orientation
            data = saved(RGB, kind, exif=exif.tobytes(), **options)
            right("Orientation", f"{group}, orientation {orientation}", data, turned(orientation), 6)
            if kind == "WEBP":
                right("Orientation", f"JPEG, orientation {orientation}", saved(RGB, "JPEG", quality=100, subsampling=0, exif=exif.tobytes()), turned(orientation), 6)
                chunk = (b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
                right("Orientation", f"PNG 16, orientation {orientation}", png(RGB.astype(np.uint16) * 257, 16, 2, [chunk]), turned(orientation))
    right("WebP", "WebP lossy", saved(RGB, "WEBP", quality=100), None, 12)
    # libavif and libheif enlarge chroma in different ways.
    for subsampling in ("4:2:2", "4:2:0"):
        right("AVIF", f"AVIF {subsampling}", saved(RGB, "AVIF", quality=100, subsampling=subsampling), None, 20)
    right("AVIF", "AVIF 4:0:0", saved(GREY, "AVIF", quality=100, subsampling="4:0:0"), None, 3)
    right("AVIF", "AVIF narrow", saved(RGB, "AVIF", quality=100, subsampling="4:4:4", range="limited"), None, 4)
    data = saved(clear, "AVIF", quality=100, subsampling="4:4:4", alpha_premultiplied=True)
    assert b"prem" in data
    right("AVIF", "AVIF RGBA, premultiplied", data, on_white(RGB, ALPHA / 255), 8)
    plain = saved(RGB, "AVIF", quality=100, subsampling="4:4:4")
    codes = plain.index(b"nclx") + 4
    for name, primaries, transfer in (("Display P3", 12, 13), ("BT.2020, PQ", 9, 16), ("BT.2020, HLG", 9, 18)):
        data = plain[:codes] + struct.pack(">HH", primaries, transfer) + plain[codes + 4 :]
        # Next to black, a step of the source is many steps of the result: the matrix is the decoder's.
        right("AVIF, nclx", f"AVIF nclx {name}", data, rounded(from_codes(pillow(plain) / 255, primaries, transfer)), 12)
    for brand in (b"mif1", b"miaf"):
        right("AVIF", f"AVIF of the brand {brand.decode()}", plain[:8] + brand + plain[12:], pillow(plain), 4)
    refused("AVIF of another coding", plain.replace(b"av01", b"hvc1", 1), "a HEIC/HEIF image")
    refused("AVIF of an unknown transfer", plain[:codes] + struct.pack(">HH", 1, 10) + plain[codes + 4 :], "with the transfer function 10 of H.273")

    palette = np.array([[200, 30, 60], [0, 250, 10], [20, 40, 240], [10, 20, 30]])
    indices = (X + Y) % 4
    shown = palette[indices].astype(np.uint8)
    right("GIF", "GIF", gif(indices, palette, size=SIDE), shown, pillow_too=0)
    right("GIF", "GIF interlaced", gif(indices, palette, size=SIDE, interlaced=True), shown, pillow_too=0)
    right("GIF", "GIF with a local palette", gif(indices, palette, size=SIDE, local=True), shown, pillow_too=0)
    right("GIF", "GIF transparent", gif(indices, palette, size=SIDE, transparent=3), np.where((indices == 3)[..., None], 255, shown).astype(np.uint8), pillow_too=0)
    right("GIF, animated", "GIF animated", gif(indices, palette, size=SIDE, frames=3), shown, pillow_too=0)
    around = np.full((12, 12, 3), 255, np.uint8)
    around[3:11, 3:11] = shown
    right("GIF, smaller than its canvas", "GIF frame inside", gif(indices, palette, size=12, place=3), around)
    webp = saved(RGB, "WEBP", lossless=True, exact=True)[12:]
    around[3:11, 3:11] = 255
    around[2:10, 2:10] = RGB
    frame = struct.pack("<I", 1)[:3] * 2 + struct.pack("<I", 7)[:3] * 2 + struct.pack("<I", 50)[:3] + b"\0" + webp
    chunks = [(b"VP8X", b"\x12\0\0\0" + struct.pack("<I", 11)[:3] * 2), (b"ANIM", b"\0\0\xff\xff\0\0"), (b"ANMF", frame)]
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    right("WebP, animated", "WebP frame inside", b"RIFF" + struct.pack("<I", len(body)) + body, around)


def write_picture_forms(output: Path) -> None:
    """Write `picture-forms.json` (one row a form) and `picture-forms.safetensors` (their files and pixels)."""
    NOTED.clear()
    TENSORS.clear()
    SHOWN.clear()
    write_png_forms()
    write_coded_colours()
    write_profiles()
    write_tiff_forms()
    write_other_forms()
    save_file(TENSORS, output / "picture-forms.safetensors")
    lines = ",\n  ".join(json.dumps(row) for row in NOTED)
    (output / "picture-forms.json").write_text(f"[\n  {lines}\n]\n")


if __name__ == "__main__":
    write_picture_forms(Path(__file__).resolve().parents[2] / "test" / "fixtures")
