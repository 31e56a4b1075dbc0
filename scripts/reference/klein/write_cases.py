"""Writes what the reference computes at every stage of the edits of klein (`cases.py`).

The checkpoints must be there (`checkpoints.py`). `write_fixtures.py` writes these, too.

Usage: python scripts/reference/klein/write_cases.py [--output test/fixtures/klein]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import tools_folder  # noqa: E402, F401  (first)
import torch  # noqa: E402
from cases import draw_scene  # noqa: E402
from klein.cases import CASES, KleinCase, describe  # noqa: E402
from klein.checkpoints import KLEIN_ROOT  # noqa: E402
from klein.recorder import record_klein  # noqa: E402
from klein_pipeline import load_klein  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from table_files import write_table  # noqa: E402


def write_klein_cases(output: Path) -> None:
    """Write the pictures, the tensors of every case, and the list of the cases."""
    (output / "cases").mkdir(parents=True, exist_ok=True)
    for case in CASES:
        write_case(output, case)
    rows = [describe(case, f"test/fixtures/klein/checkpoints/{case.checkpoint}") for case in CASES]
    write_table(output / "cases.json", rows)


def write_case(output: Path, case: KleinCase) -> None:
    pictures = [Image.open(write_scene(output / "pictures", name)) for name in case.pictures]
    pipeline = load_klein(KLEIN_ROOT / case.checkpoint, class_name=case.class_name)
    save_file(record_klein(pipeline, pictures, case.edit), output / "cases" / f"{case.name}.safetensors")


def write_scene(folder: Path, name: str) -> Path:
    """Write an input picture; its name contains its size."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(side) for side in name.removesuffix(".png").split("-")[-1].split("x"))
    draw_scene(width, height).save(folder / name, optimize=True)
    return folder / name


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the recorded edits of klein.")
    parser.add_argument("--output", type=Path, default=KLEIN_ROOT.parent)
    write_klein_cases(parser.parse_args().output)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
