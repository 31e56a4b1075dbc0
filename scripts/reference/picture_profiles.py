"""Pictures with profiles of every kind that is read here, and what lcms makes of them."""

from __future__ import annotations

import io

import numpy as np
from picture_files import Array, deflated, icc, icc_curve, icc_table, icc_xyz, png, tiff
from picture_notes import ALPHA, GREY, RGB, RGB16, SIDE, of16, on_white, pillow, right, saved
from PIL import Image, ImageCms


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
    alpha = tiff(np.dstack([inks, ALPHA]), 8, 5, tags={338: 2, 34675: profile})
    right("CMYK", "TIFF CMYK and alpha with a profile", alpha, on_white(converted(inks, profile, "CMYK"), ALPHA / 255), 5)
    right("CMYK", "TIFF CMYK 16 with a profile", tiff(inks.astype(np.uint16) * 257, 16, 5, tags={34675: profile}), converted(inks, profile, "CMYK"), 5)
    data = saved(inks, "JPEG", "CMYK", quality=100, icc_profile=profile)
    right("CMYK", "JPEG CMYK with a profile", data, converted(np.asarray(Image.open(io.BytesIO(data))), profile, "CMYK"), 5)
