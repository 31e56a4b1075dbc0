"""Tiny pictures in every form of every accepted format, with the pixels that they have in sRGB on white.

Pixels are known by construction. Those of lossy files are what Pillow decodes, those of profiles what lcms converts
(by Pillow); and wherever Pillow reads a form at all, it has to agree with the construction.
"""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from picture_colours import from_codes, from_lab, srgb_linear
from picture_files import (
    Array, deflated, gif, icc, icc_curve, icc_table, icc_xyz, lossless_jpeg, png, png_chunk, tiff,
)
from PIL import Image, ImageCms
from safetensors.numpy import save_file

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


def converted(pixels: Array, profile: bytes, mode: str | None = None) -> Array:
    image = Image.fromarray(pixels) if mode is None else Image.frombytes(mode, (SIDE, SIDE), pixels.tobytes())
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, source, target, renderingIntent=1, outputMode="RGB"))


def colour_profile(gamma: float) -> bytes:
    """Display P3's colorants, in D50, under a gamma."""
    colorants = {b"rXYZ": (0.515102, 0.241182, -0.001052), b"gXYZ": (0.291965, 0.692236, 0.041881), b"bXYZ": (0.157153, 0.066566, 0.784378)}
    curves = {name: icc_curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return icc(b"RGB ", {name: icc_xyz(*place) for name, place in colorants.items()} | curves)


def press_profile() -> bytes:
    """A press whose inks darken towards black: Lab at the 16 corners of its inks."""
    corners = []
    for cyan, magenta, yellow, black in np.ndindex(2, 2, 2, 2):
        light = 255 * (1 - 0.35 * cyan) * (1 - 0.4 * magenta) * (1 - 0.1 * yellow) * (1 - 0.85 * black)
        shade = 0.2 if black else 1
        corners.append([light, 128 + shade * (60 * magenta - 35 * cyan), 128 + shade * (70 * yellow - 45 * cyan)])
    return icc(b"CMYK", {b"A2B0": icc_table(4, np.array(corners))}, connection=b"Lab ", kind=b"prtr")


def write_png_forms() -> None:
    for interlaced in (False, True):
        group, ending = ("PNG, interlaced", ", interlaced") if interlaced else ("PNG", "")
        for depth in (1, 2, 4, 8, 16):
            most = 2**depth - 1
            grey = {8: GREY, 16: GREY16}.get(depth, (X * 3 + Y) % (most + 1))
            shown = grey3(rounded(grey * (255.0 / most)))
            key = int(grey[3, 4])
            data = png(grey, depth, 0, interlaced=interlaced)
            right(group, f"PNG grey {depth}{ending}", data, shown, pillow_too=None if depth == 16 else 0)
            keyed = png(grey, depth, 0, [(b"tRNS", struct.pack(">H", key))], interlaced=interlaced)
            right(group, f"PNG grey {depth} with tRNS{ending}", keyed, np.where((grey == key)[..., None], 255, shown).astype(np.uint8))
        for depth in (1, 2, 4, 8):
            count = 2**depth
            palette = np.array([[i * 37 % 256, (i * 91 + 40) % 256, (255 - i * 53) % 256] for i in range(count)], np.uint8)
            alphas = np.array([(i * 83 + 20) % 256 for i in range(count)], np.uint8)
            indices = (X + Y * 5) % count
            plte = (b"PLTE", palette.tobytes())
            right(group, f"PNG palette {depth}{ending}", png(indices, depth, 3, [plte], interlaced=interlaced), palette[indices], pillow_too=0)
            clear = png(indices, depth, 3, [plte, (b"tRNS", alphas.tobytes())], interlaced=interlaced)
            right(group, f"PNG palette {depth} with tRNS{ending}", clear, on_white(palette[indices], alphas[indices] / 255), 1, 2)
        for depth, colours, greys, alphas in ((8, RGB, GREY, ALPHA), (16, RGB16, GREY16, ALPHA16)):
            scale = 2**depth - 1
            shown, shown_grey = colours * (255.0 / scale), grey3(greys * (255.0 / scale))
            keys = [int(value) for value in colours[3, 4]]
            trns = (b"tRNS", struct.pack(">HHH", *keys))
            is_key = (colours == colours[3, 4]).all(-1)[..., None]
            right(group, f"PNG RGB {depth}{ending}", png(colours, depth, 2, interlaced=interlaced), rounded(shown))
            keyed = np.where(is_key, 255, rounded(shown)).astype(np.uint8)
            right(group, f"PNG RGB {depth} with tRNS{ending}", png(colours, depth, 2, [trns], interlaced=interlaced), keyed)
            data = png(np.dstack([greys, alphas]), depth, 4, interlaced=interlaced)
            right(group, f"PNG grey and alpha {depth}{ending}", data, on_white(shown_grey, alphas / scale), 1)
            data = png(np.dstack([colours, alphas]), depth, 6, interlaced=interlaced)
            right(group, f"PNG RGBA {depth}{ending}", data, on_white(shown, alphas / scale), 1)
    frames = struct.pack(">II", 2, 0)
    control = [struct.pack(">IIIIIHHBB", i, SIDE, SIDE, 0, 0, 1, 10, 0, 0) for i in range(2)]
    other = png(255 - RGB, 8, 2)
    start = other.index(b"IDAT")
    second = other[start + 4 : start + 4 + struct.unpack(">I", other[start - 4 : start])[0]]
    whole = png(RGB, 8, 2, [(b"acTL", frames), (b"fcTL", control[0])])
    more = png_chunk(b"fcTL", control[1]) + png_chunk(b"fdAT", struct.pack(">I", 2) + second)
    right("PNG, animated", "APNG", whole[:-12] + more + whole[-12:], RGB)
    refused("PNG for iOS", whole[:8] + png_chunk(b"CgBI", b"P\0 \2") + whole[8:], "a PNG image as Xcode rewrites it for iOS")


def write_coded_colours() -> None:
    def cicp(primaries: int, transfer: int, full: int = 1) -> tuple[bytes, bytes]:
        return (b"cICP", bytes([primaries, transfer, 0, full]))

    for name, primaries, transfer in (
        ("sRGB", 1, 13), ("BT.709", 1, 1), ("Display P3", 12, 13), ("BT.2020", 9, 14), ("BT.2020, PQ", 9, 16),
        ("BT.2020, HLG", 9, 18), ("Display P3, PQ", 12, 16), ("linear", 1, 8), ("gamma 2.2", 1, 4),
    ):
        wanted = from_codes(RGB / 255, primaries, transfer)
        right("PNG, cICP", f"PNG cICP {name}", png(RGB, 8, 2, [cicp(primaries, transfer)]), rounded(wanted), 1)
        deep = from_codes(RGB16 / 65535, primaries, transfer)
        data = png(np.dstack([RGB16, ALPHA16]), 16, 6, [cicp(primaries, transfer)])
        right("PNG, cICP", f"PNG cICP {name}, 16 bits and alpha", data, on_white(deep, ALPHA / 255), 1)
    dim = (RGB * 0.5).astype(np.uint8)
    wanted = rounded(from_codes(dim / 255, 9, 16))
    right("PNG, cICP", "PNG cICP BT.2020, PQ, below white", png(dim, 8, 2, [cicp(9, 16)]), wanted, 1)
    narrow = rounded(RGB / 255 * 219 + 16)
    right("PNG, cICP", "PNG cICP sRGB, narrow", png(narrow, 8, 2, [cicp(1, 13, 0)]), rounded((narrow - 16.0) / 219 * 255), 1)
    profile = (b"iCCP", b"x\0\0" + deflated(colour_profile(1.8)))
    right("PNG, cICP", "PNG cICP before a profile", png(RGB, 8, 2, [cicp(1, 13), profile]), RGB)
    right("PNG, cICP", "PNG cICP with a matrix means nothing", png(RGB, 8, 2, [(b"cICP", bytes([9, 16, 9, 1]))]), RGB)
    gamma = lambda value: (b"gAMA", struct.pack(">I", value))  # noqa: E731
    right("PNG, gAMA and cHRM", "PNG gAMA 1", png(RGB, 8, 2, [gamma(100000)]), rounded(from_codes(RGB / 255, 1, 8)), 1)
    right("PNG, gAMA and cHRM", "PNG gAMA of sRGB", png(RGB, 8, 2, [gamma(45455)]), RGB)
    right("PNG, gAMA and cHRM", "PNG sRGB before gAMA", png(RGB, 8, 2, [(b"sRGB", b"\0"), gamma(100000)]), RGB)
    place = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    data = png(RGB, 8, 2, [gamma(45455), (b"cHRM", place)])
    right("PNG, gAMA and cHRM", "PNG cHRM of Display P3", data, rounded(from_codes(RGB / 255, 12, 13)), 1)
    refused("PNG cICP of unknown primaries", png(RGB, 8, 2, [cicp(77, 13)]), "with the colour primaries 77 of H.273")
    refused("PNG cICP of an unknown transfer", png(RGB, 8, 2, [cicp(1, 10)]), "with the transfer function 10 of H.273")


def write_profiles() -> None:
    for name, gamma in (("linear", 1.0), ("gamma 1.8", 1.8)):
        profile, grey_profile = colour_profile(gamma), icc(b"GRAY", {b"kTRC": icc_curve(gamma)})
        chunk, grey_chunk = ((b"iCCP", b"x\0\0" + deflated(one)) for one in (profile, grey_profile))
        wanted, wanted_grey = converted(RGB, profile), converted(GREY, grey_profile)
        wide, wide_grey = RGB.astype(np.uint16) * 257, GREY.astype(np.uint16) * 257
        for depth, colours, greys in ((8, RGB, GREY), (16, wide, wide_grey)):
            right("Profiles", f"PNG RGB {depth}, {name}", png(colours, depth, 2, [chunk]), wanted, 2)
            right("Profiles", f"PNG grey {depth}, {name}", png(greys, depth, 0, [grey_chunk]), wanted_grey, 2)
            right("Profiles", f"TIFF RGB {depth}, {name}", tiff(colours, depth, 2, tags={34675: profile}), wanted, 2)
            right("Profiles", f"TIFF grey {depth}, {name}", tiff(greys, depth, 1, tags={34675: grey_profile}), wanted_grey, 2)
        data = tiff((RGB / 255).astype(np.float32), 32, 2, tags={34675: profile})
        right("Profiles", f"TIFF RGB floating-point, {name}", data, wanted, 2)
        data = tiff((GREY / 255).astype(np.float32), 32, 1, tags={34675: grey_profile})
        right("Profiles", f"TIFF grey floating-point, {name}", data, wanted_grey, 2)
        right("Profiles", f"TIFF RGB 32, {name}", tiff(RGB.astype(np.uint32) * 16843009, 32, 2, tags={34675: profile}), wanted, 2)
        right("Profiles", f"WebP, {name}", saved(RGB, "WEBP", lossless=True, exact=True, icc_profile=profile), wanted, 2)
        for kind in ("JPEG", "AVIF"):
            subsampling = 0 if kind == "JPEG" else "4:4:4"
            data = saved(RGB, kind, quality=100, subsampling=subsampling, icc_profile=profile)
            right("Profiles", f"{kind}, {name}", data, converted(pillow(data), profile), 10)
    broken = (b"iCCP", b"x\0\0" + deflated(b"no profile" * 20))
    right("Profiles", "PNG with a broken profile", png(RGB, 8, 2, [broken]), RGB)
    right("Profiles", "PNG 16 with a broken profile", png(RGB16, 16, 2, [broken]), of16(RGB16), 1)
    grey_chunk = (b"iCCP", b"x\0\0" + deflated(icc(b"GRAY", {b"kTRC": icc_curve(1.0)})))
    right("Profiles", "PNG RGB with a profile of grey", png(RGB, 8, 2, [grey_chunk]), RGB)
    right("Profiles", "PNG RGB 16 with a profile of grey", png(RGB16, 16, 2, [grey_chunk]), of16(RGB16))
    inks = np.dstack([255 - RGB, (GREY // 4)[..., None]])
    profile = press_profile()
    right("CMYK", "TIFF CMYK 8 with a profile", tiff(inks, 8, 5, tags={34675: profile}), converted(inks, profile, "CMYK"), 5)
    data = saved(inks, "JPEG", "CMYK", quality=100, icc_profile=profile)
    right("CMYK", "JPEG CMYK with a profile", data, converted(np.asarray(Image.open(io.BytesIO(data))), profile, "CMYK"), 5)


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


def turned(orientation: int) -> Array:
    """Turn the picture as Exif's orientation has it shown."""
    flipped = [RGB, RGB[:, ::-1], RGB[::-1, ::-1], RGB[::-1], RGB.swapaxes(0, 1), np.rot90(RGB, -1), RGB[::-1, ::-1].swapaxes(0, 1), np.rot90(RGB)]
    return np.ascontiguousarray(flipped[orientation - 1])


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
        right(f"{group}, animated", f"{group} animated", saved(RGB, kind, **options, **animated), None, tolerance)
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
