"""One slice of a training on a borrowed machine: `python scripts/remote-gpu/train.py --slice-minutes 6.8`, from the root.

Takes the options of `python -m training.train`. Stops in time, saves its state, and leaves what there is in --parts. The
next slice goes on there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

STARTED = time.monotonic()
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import slices  # noqa: E402
from training import train  # noqa: E402
from training.presets import PRESETS  # noqa: E402
from training.run import Run, TimeUp  # noqa: E402


def main() -> None:
    parser = train.options(prog="python scripts/remote-gpu/train.py", description=__doc__, preset="gpu")
    parser.add_argument("--slice-minutes", type=float, required=True, help="stop after so long")
    parser.add_argument("--slices-left", type=int, help="end with the last of so many slices, this one included")
    parser.add_argument("--parts", type=Path, default=Path("out/parts"), help="where a slice leaves what there is (default out/parts)")
    arguments = parser.parse_args()

    preset = PRESETS[arguments.preset]
    run = Run(preset.side)
    if arguments.restart:
        run.forget()
    minutes = train.minutes_of(arguments, preset)
    slices.begin(run, STARTED, arguments.slice_minutes, arguments.slices_left, minutes)
    try:
        train.train(run, arguments, preset, minutes)
    except TimeUp:
        pass
    slices.hand_back(run, arguments.parts, minutes, preset.device if preset.has_sheet else None)


if __name__ == "__main__":
    main()
