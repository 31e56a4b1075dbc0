"""Writers of PNG, TIFF, GIF, lossless JPEG and ICC files in every form, byte by byte, so that their pixels are known."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]
Chunks = Sequence[tuple[bytes, bytes]]
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def packed(row: Array, depth: int, order: str = ">") -> bytes:
    """Pack a row of samples of 1 to 32 bits; those of less than a byte from the highest bit on."""
    values = np.asarray(row).reshape(-1)
    if depth >= 8:
        return values.astype(f"{order}u{depth // 8}").tobytes()
    bits = (values[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def deflated(data: bytes) -> bytes:
    """Store, without compression: compressors differ."""
    return zlib.compress(data, 0)


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: Array, depth: int, kind: int, chunks: Chunks = (), *, interlaced: bool = False) -> bytes:
    height, width = samples.shape[:2]
    rows = b""
    for x, y, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        for row in samples[y::down, x::across]:
            rows += b"\0" + packed(row, depth) if row.size else b""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", deflated(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, data) for name, data in parts)


def packed_bits(data: bytes) -> bytes:
    pieces = [data[i : i + 128] for i in range(0, len(data), 128)]
    return b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)


def lzw(data: bytes) -> bytes:
    """TIFF's LZW, of single bytes: the table is cleared before codes grow beyond nine bits."""
    codes: list[int] = []
    for start in range(0, len(data), 200):
        codes += [256, *data[start : start + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


COMPRESS = {1: bytes, 5: lzw, 8: deflated, 32946: deflated, 32773: packed_bits}


def tiff_data(samples: Array, depth: int, order: str) -> bytes:
    if samples.dtype.kind == "f":
        return samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    return b"".join(packed(row, depth, order) for row in samples.reshape(samples.shape[0], -1))


def tiff_blocks(samples: Array, depth: int, order: str, rows_per_strip: int, tile: int) -> list[bytes]:
    """Give the data of one plane, in strips or square tiles."""
    if tile == 0:
        return [tiff_data(samples[y : y + rows_per_strip], depth, order) for y in range(0, len(samples), rows_per_strip)]
    height, width = samples.shape[:2]
    padding = [(0, -height % tile), (0, -width % tile), *[(0, 0)] * (samples.ndim - 2)]
    padded = np.pad(samples, padding)
    across, down = range(0, padded.shape[1], tile), range(0, padded.shape[0], tile)
    return [tiff_data(padded[y : y + tile, x : x + tile], depth, order) for y in down for x in across]


def tiff(
    samples: Array, depth: int, photometric: int, *, tags: dict[int, object] | None = None, order: str = "<",
    big: bool = False, planar: bool = False, tile: int = 0, rows_per_strip: int = 0, compression: int = 1,
    predictor: bool = False, data: bytes | None = None,
) -> bytes:
    """Write a TIFF. Values of `tags` are a number (short), a list of shorts, or bytes (undefined)."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    rows_per_strip = rows_per_strip or height
    stored = samples
    if predictor:
        step = np.diff(samples.astype(np.int64), axis=1, prepend=0)
        stored = (step % 2**depth).astype(samples.dtype)
    planes = [stored[..., i] for i in range(channels)] if planar else [stored]
    blocks = [block for plane in planes for block in tiff_blocks(plane, depth, order, rows_per_strip, tile)]
    blocks = [COMPRESS[compression](block) for block in blocks] if data is None else [data]
    file = bytearray(16 if big else 8)
    places: list[int] = []
    for block in blocks:
        places.append(len(file))
        file += block + b"\0" * (len(block) % 2)
    entries: dict[int, object] = {256: width, 257: height, 258: [depth] * channels, 259: compression, 262: photometric}
    entries |= {277: channels, 284: 2 if planar else 1, 339: [3 if samples.dtype.kind == "f" else 1] * channels}
    entries |= {317: 2} if predictor else {}
    lengths = [len(block) for block in blocks]
    if tile:
        entries |= {322: tile, 323: tile, 324: ("long", places), 325: ("long", lengths)}
    else:
        entries |= {273: ("long", places), 278: rows_per_strip, 279: ("long", lengths)}
    return finished(file, entries | (tags or {}), order, big)


def finished(file: bytearray, entries: dict[int, object], order: str, big: bool) -> bytes:
    """Append the directory and write the header, which points to it."""
    inline, word = (8, "Q") if big else (4, "I")
    rows = b""
    for tag, value in sorted(entries.items()):
        if isinstance(value, bytes):
            kind, count, content = 7, len(value), value
        elif isinstance(value, tuple):
            kind, count, content = 4, len(value[1]), struct.pack(f"{order}{len(value[1])}I", *value[1])
        else:
            values = value if isinstance(value, list) else [value]
            kind, count, content = 3, len(values), struct.pack(f"{order}{len(values)}H", *values)
        if len(content) > inline:
            place = struct.pack(order + word, len(file))
            file += content + b"\0" * (len(content) % 2)
            content = place
        rows += struct.pack(f"{order}HH{word}", tag, kind, count) + content.ljust(inline, b"\0")
    start = len(file)
    file += struct.pack(order + ("Q" if big else "H"), len(entries)) + rows + b"\0" * inline
    head = b"II" if order == "<" else b"MM"
    file[: 16 if big else 8] = head + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, start) if big else struct.pack(f"{order}HI", 42, start)
    )
    return bytes(file)


def gif(indices: Array, palette: Array, *, size: int, place: int = 0, transparent: int | None = None,
        local: bool = False, interlaced: bool = False, frames: int = 1) -> bytes:
    """Write a GIF89a of four colours, whose frame lies `place` pixels from the left and the top."""
    table = palette.astype(np.uint8).tobytes()
    other = bytes(len(table))
    side = len(indices)
    order = [*range(0, side, 8), *range(4, side, 8), *range(2, side, 4), *range(1, side, 2)] if interlaced else range(side)
    codes = [code for value in indices[list(order)].reshape(-1) for code in (4, int(value))] + [5]
    bits = "".join(f"{code:03b}"[::-1] for code in codes)
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    control = b"!\xf9\x04" + bytes([transparent is not None, 10, 0, transparent or 0]) + b"\0"
    flags = (0x81 if local else 0) | (0x40 if interlaced else 0)
    frame = control + b"," + struct.pack("<HHHHB", place, place, side, side, flags) + (table if local else b"")
    head = b"GIF89a" + struct.pack("<HHBBB", size, size, 0x81, 0, 0) + (other if local else table)
    return head + (frame + b"\x02" + blocks + b"\0") * frames + b";"


def lossless_jpeg(samples: Array) -> bytes:
    """Write a lossless JPEG (ITU-T T.81, annex H) of 8 bits: each sample less its left neighbour."""
    height, width = samples.shape[:2]
    pixels = samples.reshape(height, width, -1).astype(int)
    channels = pixels.shape[2]
    bits = ""
    for y, x, channel in np.ndindex(pixels.shape):
        above = pixels[y - 1, x, channel] if y else 128
        step = pixels[y, x, channel] - (pixels[y, x - 1, channel] if x else above)
        size = int(abs(step)).bit_length()
        bits += f"{size:04b}" + (f"{step if step > 0 else step + 2**size - 1:0{size}b}" if size else "")
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    parts = b"".join(bytes([i, 0x11, 0]) for i in range(channels))
    scan = b"".join(bytes([i, 0]) for i in range(channels))
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") if channels == 3 else b""
    table = segment(0xC4, b"\0" + bytes([0, 0, 0, 9, *[0] * 12]) + bytes(range(9)))
    frame = segment(0xC3, struct.pack(">BHHB", 8, height, width, channels) + parts)
    return b"\xff\xd8" + adobe + table + frame + segment(0xDA, bytes([channels]) + scan + b"\x01\0\0") + data + b"\xff\xd9"


def icc(space: bytes, tags: dict[bytes, bytes], *, connection: bytes = b"XYZ ", kind: bytes = b"mntr") -> bytes:
    """Write an ICC profile of version 2.4."""
    required = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78), b"cprt": b"text\0\0\0\0-\0\0\0"}
    entries = required | {b"wtpt": icc_xyz(0.9642, 1, 0.8249)} | tags
    start, table, body = 132 + 12 * len(entries), b"", b""
    for name, content in entries.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4xI4s4s4s6H4s", start + len(body), 0x02400000, kind, space, connection, 2026, 1, 1, 0, 0, 0, b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(entries)) + table + body


def icc_xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def icc_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + (struct.pack(">I", 0) if gamma == 1 else struct.pack(">IHxx", 1, round(gamma * 256)))


def icc_table(channels: int, corners: Array) -> bytes:
    """Write an A2B0 of 8 bits with two points a channel: Lab at each corner, the last channel fastest."""
    line = bytes(range(256))
    matrix = b"".join(struct.pack(">i", 65536 if i % 4 == 0 else 0) for i in range(9))
    return b"mft1\0\0\0\0" + bytes([channels, 3, 2, 0]) + matrix + line * channels + corners.astype(np.uint8).tobytes() + line * 3
