"""Writes the drawn cases that a test runs without Python: descriptions of their files, and some of the reference's numbers."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from drawn.draw import Draw
from drawn.pipelines import PIPELINES
from drawn.stored import Files
from drawn.written_files import write_files
from safetensors.torch import save_file
from torch import Tensor

@dataclass(frozen=True)
class Chosen:
    """Cases of a pipeline. Those that either side refuses are of no use here."""

    pipeline: str
    seed: int
    indices: list[int]
    fixed: dict[str, Any] = field(default_factory=dict)
    """Fields that are not drawn."""


KONTEXT = Chosen("kontext", 20, [
    0, 1, 2, 4, 7, 10, 12, 15, 19, 20, 22, 25, 28, 31, 32, 38, 40, 48, 50, 52,
    55, 58, 63, 64, 66, 70, 73, 77, 85, 87,
])  # fmt: skip
KLEIN = Chosen("klein", 11, [2, 4, 9, 13, 14, 19, 20, 31, 38, 40, 44], {"loras": 0})
# Numbers kept of each result, evenly apart.
KEPT = 256


def write_drawn(output: Path, chosen: Chosen) -> None:
    """Write `cases.json.gz` and `expected.safetensors`."""
    output.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, Any]] = []
    texts: list[dict[str, Any]] = []
    expected: dict[str, Tensor] = {}
    pipeline = PIPELINES[chosen.pipeline]
    for index in chosen.indices:
        edit, files = pipeline.draw_case(Draw(chosen.seed, index, chosen.fixed, None))
        with tempfile.TemporaryDirectory() as folder:
            write_files(Path(folder), files)
            arrays = pipeline.run_case(Path(folder), edit)
        for name, values in arrays.items():
            every = -(-values.size // KEPT)
            expected[f"{name}.{index}"] = torch.from_numpy(values.reshape(-1)[::every].copy())
        cases.append({"index": index, "edit": edit, "files": shared(files, texts)})
    content = json.dumps({"cases": cases, "contents": texts}, ensure_ascii=False, separators=(",", ":"))
    (output / "cases.json.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
    save_file(expected, output / "expected.safetensors")


def shared(files: Files, contents: list[dict[str, Any]]) -> dict[str, int]:
    """Give the place of each file's content in a list, to which new ones are added."""
    places = {}
    for name, content in files.items():
        if content not in contents:
            contents.append(content)
        places[name] = contents.index(content)
    return places
