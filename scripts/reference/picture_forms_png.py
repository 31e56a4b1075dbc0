"""PNG in every form: depths, transparency, interlacing, and what it says about its colours."""

from __future__ import annotations

import struct

import numpy as np
from picture_colours import from_codes
from picture_files import deflated, icc, icc_curve, png, png_chunk
from picture_notes import ALPHA, ALPHA16, GREY, GREY16, RGB, RGB16, SIDE, X, Y, grey3, on_white, refused, right, rounded
from picture_profiles import colour_profile


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
