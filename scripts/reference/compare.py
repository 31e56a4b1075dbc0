"""Regenerates the checkpoints and fixtures in a temporary folder and compares them with the committed ones.

Prints the worst tensor of each file; ends with a sentence and status 1 at the first mismatch.

Usage: python scripts/reference/compare.py   (or `npm run test:reference`)
"""

from __future__ import annotations

import gzip
import json
import math
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from checkpoint_settings import CHECKPOINTS
from klein.checkpoints import write_klein
from klein.settings import CHECKPOINTS as KLEIN_CHECKPOINTS
from make_checkpoints import write_checkpoint
from PIL import Image, ImageChops
from safetensors.torch import load_file
from torch import Tensor
from write_fixtures import FIXTURES, write_fixtures

# Largest relative error (2-norm of the difference over that of the committed tensor). Processors differ in the order of
# their sums; a half-precision value between two roundings moves by a whole step.
TOLERANCES = {
    torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 3e-4, torch.bfloat16: 1e-3,
    torch.float8_e4m3fn: 1e-2, torch.float8_e5m2: 2e-2,
}

# For velocities and the latents that they lead to or start from, in single precision: processors differ in the last digit of
# exp too, which the angles of time and guidance, thousands of radians, make up to 2.6e-5.
VELOCITY = re.compile("velocit|latents|[.]result$", re.IGNORECASE)
VELOCITY_TOLERANCE = 3e-5

# For sums over an output in single precision, which are about one, and over velocities, too (1.1e-5 between two processors).
SUMS_TOLERANCE = 3e-5
# The same of the latents of whole edits, whose guidance makes the differences of its passes larger (1.9e-4).
EDIT_SUMS_TOLERANCE = 4e-4

# The share of an image's values that may be rounded to the other integer.
MOVED_PIXELS = 0.01

# Written by hand, by scripts/safety, and by scripts/cuda-kernels.
NOT_GENERATED = {"README.md", "safety.json", "cuda-kernels.json"}


class Mismatch(Exception):
    """Its message is the sentence that says what differs."""


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name not in NOT_GENERATED}


def tensor_error(name: str, wanted: Tensor, found: Tensor) -> float:
    """Give the relative error of a tensor; raises Mismatch where it is too large."""
    if wanted.shape != found.shape or wanted.dtype != found.dtype:
        raise Mismatch(f"{name} is {found.dtype} {list(found.shape)}, committed {wanted.dtype} {list(wanted.shape)}.")
    difference = (found.double() - wanted.double()).abs()
    if wanted.dtype == torch.uint8:
        share = (difference > 0).double().mean().item()
        if difference.max() > 1 or share > MOVED_PIXELS:
            raise Mismatch(f"{name} differs in {share:.1%} of its pixel values, by up to {int(difference.max())}.")
        return 0.0
    if not wanted.is_floating_point():
        if difference.any():
            raise Mismatch(f"{name} differs first at index {int(difference.flatten().nonzero()[0])}.")
        return 0.0
    error = (difference.norm() / max(wanted.double().norm().item(), 1e-30)).item()
    is_velocity = wanted.dtype == torch.float32 and VELOCITY.search(name)
    allowed = VELOCITY_TOLERANCE if is_velocity else TOLERANCES[wanted.dtype]
    if not error <= allowed:
        raise Mismatch(f"{name} is off by {error:.2e} (relative 2-norm), allowed are {allowed:.0e}.")
    return error


def compare_tensors(name: str, wanted: Path, found: Path) -> str:
    committed, written = load_file(wanted), load_file(found)
    if committed.keys() != written.keys():
        raise Mismatch(f"{name} has other tensors: {', '.join(sorted(committed.keys() ^ written.keys()))}.")
    errors = {key: tensor_error(f"{name}: {key}", value, written[key]) for key, value in committed.items()}
    worst = max(errors, key=lambda key: errors[key])
    return f"worst is {worst}, off by {errors[worst]:.1e}" if errors[worst] > 0 else "equal"


def json_differences(place: str, wanted: Any, found: Any) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        for key in wanted:
            yield from json_differences(f"{place}.{key}", wanted[key], found[key])
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, item in enumerate(wanted):
            yield from json_differences(f"{place}[{index}]", item, found[index])
    elif isinstance(wanted, float) and isinstance(found, float):
        of_sums = EDIT_SUMS_TOLERANCE if place.startswith("index-fields.json") else SUMS_TOLERANCE
        tolerance = of_sums if ".sums[" in place else 1e-9
        if not math.isclose(wanted, found, rel_tol=1e-6, abs_tol=tolerance):
            yield f"{place} is {found}, committed {wanted}."
    elif wanted != found:
        yield f"{place} is {found!r}, committed {wanted!r}."


def spelt_out(table: Any) -> Any:
    """Give what counts as the same the sums that it is the same as: processors differ in which small differences count."""
    if not isinstance(table, dict):
        return table
    table = {key: spelt_out(value) for key, value in table.items()}
    if "sums" in table and isinstance(table.get("cases"), list):
        cases = ({"sums": table["sums"], **case} if case.get("same") else case for case in table["cases"])
        table["cases"] = [{key: value for key, value in case.items() if key != "same"} for case in cases]
    return table


def read_json(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_text())


def compare_file(name: str, wanted: Path, found: Path) -> str:
    """Compare two files by their kind and return how well they agree; raises Mismatch."""
    if wanted.suffix == ".safetensors":
        return compare_tensors(name, wanted, found)
    if wanted.suffix in (".json", ".gz"):
        for difference in json_differences(name, spelt_out(read_json(wanted)), spelt_out(read_json(found))):
            raise Mismatch(difference)
    elif wanted.suffix == ".png":
        # Pixels, not bytes: compressors differ.
        committed, written = Image.open(wanted), Image.open(found)
        if committed.size != written.size or ImageChops.difference(committed, written).getbbox():
            raise Mismatch(f"{name} shows another picture.")
    elif wanted.read_bytes() != found.read_bytes():
        raise Mismatch(f"{name} has other bytes.")
    return "equal"


def regenerate(output: Path) -> None:
    for name, settings in CHECKPOINTS.items():
        write_checkpoint(output / "checkpoints" / name, settings)
    for name, klein_settings in KLEIN_CHECKPOINTS.items():
        write_klein(output / "klein" / "checkpoints" / name, klein_settings)
    # The committed checkpoints are used, so that a difference in the weights is reported only as that.
    write_fixtures(output, list(json.loads((FIXTURES / "tokens.json").read_text())["checkpoints"]))


def compare(committed: Path, written: Path) -> None:
    """Compare two fixture folders; raises Mismatch at the first difference."""
    if files(committed) != files(written):
        names = sorted(str(path) for path in files(committed) ^ files(written))
        raise Mismatch(f"These files are committed or written, but not both: {', '.join(names)}.")
    for path in sorted(files(committed)):
        agreement = compare_file(str(path), committed / path, written / path)
        if path.suffix == ".safetensors":
            print(f"{path}: {agreement}")


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        regenerate(Path(folder))
        try:
            compare(FIXTURES, Path(folder))
        except Mismatch as mismatch:
            print(f"The reference differs from the committed fixtures: {mismatch}", file=sys.stderr)
            sys.exit(1)
    print("The committed checkpoints and fixtures are what the reference gives.")


if __name__ == "__main__":
    main()
