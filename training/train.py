"""The command line: `python -m training.train --minutes 120` trains both stages and exports the checkpoint.

Ends by the clock, not by a step count. Stopped or killed, the same command goes on where the last state was saved.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from training import autoencoder, editor, export, run


@dataclass(frozen=True)
class Preset:
    device: str
    autoencoder_batch: int
    editor_batch: int


PRESETS = {"cpu": Preset("cpu", 16, 32), "gpu": Preset("cuda", 64, 128)}

# Of the whole time: a seventh for the autoencoder, an eighth for learning guidance, the rest for the edits.
AUTOENCODER_SHARE = 0.14
GUIDANCE_SHARE = 0.13


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120, help="wall time of both stages together (default 120)")
    parser.add_argument("--preset", choices=PRESETS, default="cpu", help="batch sizes and device (default cpu)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stage", choices=("autoencoder", "editor", "all"), default="all")
    parser.add_argument("--autoencoder-minutes", type=float, help="instead of a seventh of --minutes")
    parser.add_argument("--guidance-minutes", type=float, help="instead of an eighth of --minutes")
    parser.add_argument("--restart", action="store_true", help="forget the saved state first")
    parser.add_argument("--from", dest="start", type=Path, help="begin from this checkpoint folder instead of from nothing")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/tiny"), help="where the checkpoint is written")
    arguments = parser.parse_args()

    preset = PRESETS[arguments.preset]
    if arguments.restart:
        shutil.rmtree(run.STATE_FOLDER, ignore_errors=True)
    first = arguments.autoencoder_minutes or arguments.minutes * AUTOENCODER_SHARE
    last = arguments.guidance_minutes or arguments.minutes * GUIDANCE_SHARE
    if arguments.stage in ("autoencoder", "all"):
        autoencoder.train(first, preset.autoencoder_batch, arguments.seed, preset.device, arguments.start)
    if arguments.stage in ("editor", "all"):
        editor.train(arguments.minutes - first - last, last, preset.editor_batch, arguments.seed, preset.device, arguments.start)
        export.write(arguments.out)


if __name__ == "__main__":
    main()
