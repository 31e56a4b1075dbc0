"""Averages two checkpoints that were trained one from the other: `python -m training.average BEFORE AFTER OUT`.

Each run begins with high rates again and ends elsewhere around the same minimum; the middle is nearer to it than either end.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file


def average(before: Path, after: Path, out: Path) -> None:
    """Writes `out` as a copy of `after` with the mean of both checkpoints' weights, in their element type.

    Raises ValueError where one has a tensor that the other lacks or has in another shape.
    """
    means = {}
    for path in sorted(after.rglob("*.safetensors")):
        part = path.relative_to(after)
        one, other = load_file(before / part), load_file(path)
        if {k: t.shape for k, t in one.items()} != {k: t.shape for k, t in other.items()}:
            raise ValueError(f"{part}: the two checkpoints have different tensors.")
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        means[part] = {k: ((one[k].float() + other[k].float()) / 2).to(other[k].dtype) for k in other}, metadata
    # Written only when all of them match, so that nothing half-written is left.
    shutil.copytree(after, out)
    for part, (mean, metadata) in means.items():
        save_file(mean, out / part, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.average", description=__doc__)
    for name in ("before", "after", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    average(arguments.before, arguments.after, arguments.out)


if __name__ == "__main__":
    main()
