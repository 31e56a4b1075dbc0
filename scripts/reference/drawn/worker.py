"""Answers for one case after the other, as JSON lines on standard input and output (`scripts/reference/drawn/protocol.ts`).

Usage: python scripts/reference/drawn/worker.py SEED FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import tools_folder  # noqa: E402, F401  (first)
import quiet  # noqa: E402, F401  (first)
import torch  # noqa: E402
from drawn.draw import Draw  # noqa: E402
from drawn.pipelines import PIPELINES  # noqa: E402
from drawn.stored import write_files  # noqa: E402


def answer(seed: int, root: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Draw a case and write its files, and what the reference makes of them or why it refuses."""
    index = asked["index"]
    folder = root / f"case-{asked['id']}"
    draw = Draw(seed, index, asked["fixed"], asked.get("unusual"))
    pipeline = PIPELINES[draw.one_of("pipeline", list(PIPELINES))]
    edit, files = pipeline.draw_case(draw)
    write_files(folder, files)
    odd = {name: value for name, value in draw.settings.items() if value != draw.plain[name]}
    case = {"folder": str(folder), "edit": edit, "odd": odd}
    for number, source in enumerate(pipeline.sources_of(edit)):
        source.tofile(folder / f"source.{number}")
    started = time.perf_counter()
    try:
        arrays = pipeline.run_case(folder, edit)
    except Exception as error:  # whatever the reference raises is its refusal
        return case | {"refusal": f"{type(error).__name__}: {error}"[:400]}
    for name, values in arrays.items():
        values.tofile(folder / f"reference.{name}")
    return case | {"seconds": time.perf_counter() - started}


def main() -> None:
    torch.set_num_threads(1)
    seed, root = int(sys.argv[1]), Path(sys.argv[2])
    # What the libraries print goes elsewhere.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            given = answer(seed, root, asked)
        except Exception as error:  # a case that cannot be drawn is a fault of this script: it is shown as such
            given = {"fault": f"{type(error).__name__}: {error}"[:400]}
        print(json.dumps({"id": asked["id"]} | given), file=answers, flush=True)


if __name__ == "__main__":
    main()
