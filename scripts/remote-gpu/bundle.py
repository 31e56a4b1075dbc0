"""The bundle that a machine without a network gets in several calls: one compressed tar file, in parts with checksums.

Usage, at home:  python scripts/remote-gpu/bundle.py pack FOLDER PARTS [LEVEL [PART_BYTES]]   PARTS/00/bundle.00, PARTS/01/bundle.01, ...
       there:    python scripts/remote-gpu/bundle.py take PART THERE        checks one part and puts it aside
                 python scripts/remote-gpu/bundle.py open THERE             joins them, once, into THERE/bundle and THERE/site
                 python scripts/remote-gpu/bundle.py libraries              where CUDA's libraries are, for LD_LIBRARY_PATH
                 python scripts/remote-gpu/bundle.py results FOLDER OUT     writes the results in parts, as a training's are
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import parts as output_parts
from parts import MIB

PART_BYTES = 62 * MIB  # of 64, so that the tree that travels along has room
CHUNK_BYTES = MIB
SUMS = "SHA256SUMS"
# CUDA's kernels are compressed already; xz would take longer to unpack than the call that it saves.
LEVEL = 6


def _checksum(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def pack(folder: Path, target: Path, level: int = LEVEL, part_bytes: int = PART_BYTES) -> list[Path]:
    """Writes `folder` into parts of at most `part_bytes`, each in a folder of its own with the checksums of all."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    whole = target / "bundle"
    with gzip.GzipFile(whole, "wb", level, mtime=0) as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            tar.add(path, path.relative_to(folder).as_posix())
    parts = []
    with whole.open("rb") as file:
        while chunk := file.read(part_bytes):
            part = target / f"{len(parts):02d}" / f"bundle.{len(parts):02d}"
            part.parent.mkdir()
            part.write_bytes(chunk)
            parts.append(part)
    whole.unlink()
    lines = [f"{_checksum([part])}  {part.name}\n" for part in parts] + [f"{_checksum(parts)}  bundle\n"]
    for part in parts:
        (part.parent / SUMS).write_text("".join(lines))
    return parts


def _wanted(sums: Path) -> dict[str, str]:
    if not sums.is_file():
        raise SystemExit(f"{sums} is missing: no part was carried.")
    return {name: digest for digest, name in (line.split() for line in sums.read_text().splitlines())}


def take(folder: Path, there: Path) -> None:
    """Puts the part in `folder` aside. One that belongs to another bundle than those before replaces them."""
    wanted = _wanted(folder / SUMS)
    [part] = [path for path in folder.iterdir() if path.name != SUMS]
    if _checksum([part]) != wanted.get(part.name):
        raise SystemExit(f"{part.name} is damaged: its checksum is not the one in {SUMS}.")
    aside = there / "parts"
    if (aside / SUMS).is_file() and (aside / SUMS).read_text() != (folder / SUMS).read_text():
        shutil.rmtree(there)
    aside.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(part, aside / part.name)
    shutil.copyfile(folder / SUMS, aside / SUMS)
    names = [name for name in wanted if name != "bundle"]
    have = sum((aside / name).is_file() for name in names)
    print(f"{part.name} is here: {have} of {len(names)} parts.")


def unpack(there: Path) -> None:
    """Joins the parts into `there`/bundle and installs the wheels in it into `there`/site, if that was not done before."""
    if (there / "bundle").is_dir():
        return
    wanted = _wanted(there / "parts" / SUMS)
    parts = [there / "parts" / name for name in wanted if name != "bundle"]
    missing = [part.name for part in parts if not part.is_file()]
    if missing:
        raise SystemExit(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; carry them first.")
    if _checksum(parts) != wanted["bundle"]:
        raise SystemExit(f"The joined parts are not the whole that {SUMS} names.")
    fresh = there / "bundle.part"
    shutil.rmtree(fresh, ignore_errors=True)
    whole = there / "bundle.tar.gz"
    with whole.open("wb") as joined:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, joined)
    with tarfile.open(whole, "r:gz") as tar:
        tar.extractall(fresh, filter="fully_trusted")
    whole.unlink()
    wheels = sorted(str(wheel) for wheel in (fresh / "wheels").glob("*.whl"))
    if wheels:
        options = ["-q", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade", "--target", str(there / "site")]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *wheels], check=True)
    fresh.rename(there / "bundle")


def libraries() -> str:
    """The folders of CUDA's libraries that came with PyTorch, and CUDA's own."""
    folders = [Path(entry) / "nvidia" for entry in sys.path]
    found = {library.parent for folder in folders for library in folder.glob("*/lib/lib*.so*")}
    return ":".join([*sorted(map(str, found)), "/usr/local/cuda/lib64"])


def results(folder: Path, out: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    output_parts.write(folder, out)


COMMANDS = {
    "pack": lambda folder, target, *numbers: pack(Path(folder), Path(target), *map(int, numbers)),
    "take": lambda folder, there: take(Path(folder), Path(there)),
    "open": lambda there: unpack(Path(there)),
    "libraries": lambda: print(libraries()),
    "results": lambda folder, out: results(Path(folder), Path(out)),
}

if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    COMMANDS[command](*arguments)
