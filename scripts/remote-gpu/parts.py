"""Writes a checkpoint folder as few small files with checksums, and beside them the script that joins them."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

MIB = 2**20
PART_BYTES = 15 * MIB  # a file may have 16 MiB
MOST_PARTS = 4  # of 8 files, the others being SHA256SUMS, join.sh, the log and the sheet
WHOLE = "checkpoint.tar"


def _packed(checkpoint: Path) -> bytes:
    """The folder as a tar file that depends on nothing but its contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(p for p in checkpoint.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(path.relative_to(checkpoint).as_posix())
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(entry, file)
    return buffer.getvalue()


def write(checkpoint: Path, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Writes `checkpoint` into `folder` as checkpoint.tar.00 and so on, SHA256SUMS and join.sh; returns the parts."""
    whole = _packed(checkpoint)
    chunks = [whole[start : start + part_bytes] for start in range(0, len(whole), part_bytes)]
    if len(chunks) > MOST_PARTS:
        raise SystemExit(f"The checkpoint has {len(whole) / MIB:.1f} MiB, {len(chunks)} parts; at most {MOST_PARTS} can be brought home.")
    folder.mkdir(parents=True, exist_ok=True)
    sums = folder / "SHA256SUMS"
    # The sums go first and come last: a kill in between leaves parts that join.sh refuses, never a mixture of two.
    sums.unlink(missing_ok=True)
    for old in folder.glob(f"{WHOLE}.*"):
        old.unlink()
    paths = [folder / f"{WHOLE}.{number:02d}" for number in range(len(chunks))]
    for path, chunk in zip(paths, chunks, strict=True):
        path.write_bytes(chunk)
    shutil.copyfile(Path(__file__).with_name("join.sh"), folder / "join.sh")
    named = [*zip(chunks, (path.name for path in paths), strict=True), (whole, WHOLE)]
    sums.write_text("".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for data, name in named))
    return paths
