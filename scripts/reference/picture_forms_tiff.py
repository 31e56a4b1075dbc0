"""TIFF in every form: depths, colours, alpha, layouts and compressions, and those that are refused."""

from __future__ import annotations

import io

import numpy as np
from picture_colours import from_lab
from picture_files import tiff
from picture_notes import (
    ALPHA, ALPHA16, GREY, GREY16, RGB, RGB16, SIDE, X, Y, grey3, of16, on_white, refused, right, rounded, saved, turned,
)
from PIL import Image


def write_tiff_forms() -> None:
    for depth in (1, 2, 4, 8):
        most = 2**depth - 1
        grey = GREY if depth == 8 else ((X * 3 + Y) % (most + 1)).astype(np.uint8)
        shown = rounded(grey * (255.0 / most))
        right("TIFF, grey", f"TIFF grey {depth}", tiff(grey, depth, 1), grey3(shown), pillow_too=0)
        right("TIFF, grey", f"TIFF grey {depth}, white is 0", tiff(grey, depth, 0), grey3(255 - shown), pillow_too=0)
        palette = np.array([[(i * a + b) % 256 for i in range(most + 1)] for a, b in ((37, 0), (91, 40), (203, 255))])
        for scale in (257, 256, 1):
            data = tiff(grey, depth, 3, tags={320: [int(value) * scale for value in palette.reshape(-1)]})
            right("TIFF, palette", f"TIFF palette {depth}, colours times {scale}", data, palette[:, grey].transpose(1, 2, 0).astype(np.uint8))
    right("TIFF, grey", "TIFF grey 16", tiff(GREY16, 16, 1), grey3(of16(GREY16)))
    right("TIFF, grey", "TIFF grey 16, white is 0", tiff(GREY16, 16, 0), grey3(of16(65535 - GREY16)))
    right("TIFF, grey", "TIFF grey 32", tiff(GREY16.astype(np.uint32) * 65537, 32, 1), grey3(of16(GREY16)))
    right("TIFF, RGB", "TIFF RGB 32", tiff(RGB16.astype(np.uint32) * 65537, 32, 2), of16(RGB16))
    right("TIFF, floating-point", "TIFF grey floating-point", tiff((GREY / 255).astype(np.float32), 32, 1), grey3(GREY))
    right("TIFF, floating-point", "TIFF RGB floating-point", tiff((RGB / 255).astype(np.float32), 32, 2), RGB)
    right("TIFF, floating-point", "TIFF RGB half precision", tiff((RGB / 255).astype(np.float16), 16, 2), RGB)
    spot = (RGB / 255).astype(np.float32)
    spot[0, 0, 0] = 4
    right("TIFF, floating-point", "TIFF floating-point with a highlight", tiff(spot, 32, 2), rounded(255.0 * spot))
    for name, tags in (("white is 1, not 255", RGB.astype(np.float32)), ("no numbers", np.full((SIDE, SIDE, 3), np.nan, np.float32))):
        refused(f"TIFF floating-point, {name}", tiff(tags, 32, 2), "floating-point")
    coded = [(1, False), (5, False), (5, True), (8, False), (8, True), (32946, False), (32773, False)]
    for compression, predictor in coded:
        for order in "<>":
            for big in (False, True):
                for layout in ({}, {"rows_per_strip": 3}, {"tile": 16}, {"planar": True}):
                    for depth, colours, shown in ((8, RGB, RGB), (16, RGB16, of16(RGB16))):
                        if (depth == 16 or big) and (layout or compression not in (1, 5)):
                            continue
                        data = tiff(colours, depth, 2, compression=compression, predictor=predictor, order=order, big=big, **layout)
                        words = [f"RGB {depth}, compression {compression}", "predictor" if predictor else "", order, "big" if big else "", *layout]
                        right("TIFF, RGB", "TIFF " + " ".join(word for word in words if word), data, shown)
    straight, alpha = np.dstack([RGB, ALPHA]), ALPHA / 255
    right("TIFF, alpha", "TIFF RGBA 8, unassociated", tiff(straight, 8, 2, tags={338: 2}), on_white(RGB, alpha), 1)
    right("TIFF, alpha", "TIFF RGBA 16, unassociated", tiff(np.dstack([RGB16, ALPHA16]), 16, 2, tags={338: 2}), on_white(RGB16 / 257.0, alpha), 1)
    light = RGB16 * alpha[..., None]
    right("TIFF, alpha", "TIFF RGBA 8, associated", tiff(np.dstack([rounded(light / 257), ALPHA]), 8, 2, tags={338: 1}), on_white(RGB16 / 257.0, alpha), 2)
    right("TIFF, alpha", "TIFF RGBA 16, associated", tiff(np.dstack([np.rint(light).astype(np.uint16), ALPHA16]), 16, 2, tags={338: 1}), on_white(RGB16 / 257.0, alpha), 1)
    right("TIFF, alpha", "TIFF grey and alpha 8", tiff(np.dstack([GREY, ALPHA]), 8, 1, tags={338: 2}), on_white(grey3(GREY), alpha), 1)
    right("TIFF, alpha", "TIFF grey and alpha 8, white is 0", tiff(np.dstack([255 - GREY, ALPHA]), 8, 0, tags={338: 2}), on_white(grey3(GREY), alpha), 1)
    right("TIFF, alpha", "TIFF RGBA floating-point", tiff((straight / 255).astype(np.float32), 32, 2, tags={338: 2}), on_white(RGB, alpha), 1)
    right("TIFF, alpha", "TIFF grey and alpha floating-point", tiff((np.dstack([GREY, ALPHA]) / 255).astype(np.float32), 32, 1, tags={338: 2}), on_white(grey3(GREY), alpha), 1)
    right("TIFF, alpha", "TIFF RGBA 32", tiff(straight.astype(np.uint32) * 16843009, 32, 2, tags={338: 2}), on_white(RGB, alpha), 1)
    right("TIFF, alpha", "TIFF RGB and a channel that is no alpha", tiff(straight, 8, 2, tags={338: 0}), RGB)
    right("TIFF, alpha", "TIFF RGB 16 and a channel that is no alpha", tiff(np.dstack([RGB16, ALPHA16]), 16, 2, tags={338: 0}), of16(RGB16))
    right("TIFF, alpha", "TIFF RGB and a channel that nothing names", tiff(straight, 8, 2), RGB)
    lab = np.stack([60 + 20 * X, 8 * X - 30, 25 - 7 * Y], -1)
    shown = rounded(from_lab(lab * np.array([100 / 255, 1, 1])))
    right("TIFF, Lab", "TIFF CIELab 8", tiff((lab % 256).astype(np.uint8), 8, 8), shown, 1)
    right("TIFF, Lab", "TIFF ICCLab 8", tiff((lab + [0, 128, 128]).astype(np.uint8), 8, 9), shown, 1)
    right("TIFF, Lab", "TIFF CIELab 16", tiff((lab * [257, 256, 256] % 65536).astype(np.uint16), 16, 8), shown, 1)
    for orientation in range(1, 9):
        for name, colours, depth in (("8", RGB, 8), ("16", RGB.astype(np.uint16) * 257, 16), ("floating-point", (RGB / 255).astype(np.float32), 32)):
            right("Orientation", f"TIFF {name}, orientation {orientation}", tiff(colours, depth, 2, tags={274: orientation}), turned(orientation))
    write_coded_tiff()
    write_refused_tiff()


def write_coded_tiff() -> None:
    """Files whose compression is Pillow's (libtiff)."""
    bits = np.where(GREY > 128, 255, 0).astype(np.uint8)
    for compression in ("tiff_ccitt", "group3", "group4"):
        output = io.BytesIO()
        Image.fromarray(bits).convert("1").save(output, "TIFF", compression=compression)
        right("TIFF, CCITT", f"TIFF {compression}", output.getvalue(), grey3(bits))
    for name, mode in (("RGB", "RGB"), ("grey", "L"), ("YCbCr", "YCbCr")):
        output = io.BytesIO()
        Image.fromarray(RGB).convert(mode).save(output, "TIFF", compression="jpeg", quality=100)
        right("TIFF, JPEG", f"TIFF JPEG {name}", output.getvalue(), None, 4)
    webp = saved(RGB, "WEBP", lossless=True, exact=True)
    right("TIFF, WebP", "TIFF WebP", tiff(RGB, 8, 2, tags={259: 50001}, data=webp), RGB)


def write_refused_tiff() -> None:
    for compression, name in (
        (6, "old-style JPEG"), (32766, "NeXT's coding"), (32809, "ThunderScan"), (34676, "SGILog"), (34712, "JPEG 2000"), (34887, "LERC"),
        (34925, "LZMA"), (34933, "PNG"), (34934, "JPEG XR"), (50000, "Zstandard"), (50002, "JPEG XL"), (12345, "scheme 12345"),
    ):
        refused(f"TIFF compressed with {name}", tiff(RGB, 8, 2, tags={259: compression}), f"a TIFF image compressed with {name}")
    for depth in (6, 10, 12, 14, 20, 24):
        refused(f"TIFF grey {depth}", tiff(GREY.astype(np.uint32), 8, 1, tags={258: depth}), f"{depth}-bit whole numbers")
    refused("TIFF RGB 4", tiff(RGB // 16, 4, 2), "4-bit whole numbers")
    refused("TIFF palette 16", tiff(GREY16, 16, 3, tags={320: [0] * 48}), "16-bit whole numbers")
    refused("TIFF grey half precision", tiff((GREY / 255).astype(np.float16), 16, 1), "16-bit floating-point numbers")
    refused("TIFF double precision", tiff(RGB / 255, 8, 2, tags={258: [64] * 3, 339: [3] * 3}), "64-bit floating-point numbers")
    refused("TIFF signed", tiff(RGB, 8, 2, tags={339: [2] * 3}), "signed numbers")
    refused("TIFF complex", tiff(RGB.astype(np.uint32), 32, 2, tags={339: [6] * 3}), "complex numbers")
    refused("TIFF of three depths", tiff(RGB, 8, 2, tags={258: [5, 6, 5]}), "channels differ in depth")
    refused("TIFF of 5 channels", tiff(np.dstack([RGB, GREY, ALPHA]), 8, 2, tags={338: [2, 0]}), "5 channels")
    refused("TIFF of 3 channels of grey", tiff(RGB, 8, 1, tags={338: [0, 0]}), "3 channels")
    refused("TIFF RGB of one channel", tiff(GREY, 8, 2), "1 channels")
    refused("TIFF of separate tiles", tiff(RGB, 8, 2, planar=True, tile=16), "its channels in separate tiles")
    refused("TIFF of other inks", tiff(np.dstack([RGB, GREY]), 8, 5, tags={332: 2}), "inks")
    refused("TIFF volume", tiff(RGB, 8, 2, tags={32997: 2}), "a TIFF volume")
    refused("TIFF RGBA 32, associated", tiff(np.dstack([RGB, ALPHA]).astype(np.uint32), 32, 2, tags={338: 1}), "premultiplied alpha")
    refused("TIFF YCbCr without JPEG", tiff(RGB, 8, 6, tags={530: [1, 1]}), "YCbCr without JPEG")
    refused("TIFF JPEG of 12 bits", tiff(RGB16, 16, 2, tags={259: 7}), "16-bit JPEG data")
    refused("TIFF Lab with alpha", tiff(np.dstack([RGB, ALPHA]), 8, 8, tags={338: 2}), "Lab colours of this kind")
    for photometric, words in ((4, "a TIFF mask"), (10, "ITU Lab"), (32803, "a camera raw file"), (34892, "a camera raw file"), (32845, "LogLuv"), (99, "the colour kind 99")):
        refused(f"TIFF photometric {photometric}", tiff(RGB, 8, photometric), words)
