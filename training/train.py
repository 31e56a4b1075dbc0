"""The command line: `python -m training.train --minutes 120` trains both stages and exports the checkpoint.

The clock ends it, not a step count. Stopped or killed, the same command goes on where the last state was saved.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from training import autoencoder, export, prefetch
from training.editor import loop
from training.presets import PRESETS, Preset
from training.run import Run, use_cuda


def options(prog: str, description: str | None, preset: str = "cpu") -> argparse.ArgumentParser:
    """The options of every training; `preset` is the default of --preset."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--minutes", type=float, help="wall time of all stages together (default: the preset's, 120 for cpu)")
    parser.add_argument("--preset", choices=PRESETS, default=preset, help=f"device, size and batches (default {preset})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stage", choices=("autoencoder", "editor", "all"), default="all")
    parser.add_argument("--autoencoder-minutes", type=float, help="instead of the preset's share of --minutes; 0 with --from keeps its autoencoder")
    parser.add_argument("--guidance-minutes", type=float, help="instead of the preset's share of --minutes")
    parser.add_argument("--restart", action="store_true", help="forget the saved state first")
    parser.add_argument("--from", dest="start", type=Path, help="begin from this checkpoint folder instead of from nothing")
    return parser


def minutes_of(arguments: argparse.Namespace, preset: Preset) -> dict[str, float]:
    """The minutes of each stage, in order."""
    whole = arguments.minutes or preset.minutes
    first = whole * preset.autoencoder_share if arguments.autoencoder_minutes is None else arguments.autoencoder_minutes
    last = whole * preset.guidance_share if arguments.guidance_minutes is None else arguments.guidance_minutes
    return {"autoencoder": first, "edits": whole - first - last, "guidance": last}


def train(run: Run, arguments: argparse.Namespace, preset: Preset, minutes: dict[str, float]) -> None:
    """Runs the stages that `arguments` ask for, going on from the saved state. Raises TimeUp at `run.ends`."""
    run.save_every_seconds = preset.save_every_seconds
    if preset.device == "cuda":
        use_cuda()
    with prefetch.workers(preset.workers, preload="training.train"):
        if arguments.stage in ("autoencoder", "all"):
            autoencoder.train(run, minutes["autoencoder"], preset.autoencoder_batch, arguments.seed, preset.device, arguments.start)
        if arguments.stage in ("editor", "all"):
            loop.train(
                run, minutes["edits"], minutes["guidance"], preset.editor_batch, arguments.seed, preset.device, arguments.start,
                preset.start_gain,
            )  # fmt: skip


def draw_sheet(checkpoint: Path, path: Path, device: str, seconds: float) -> bool:
    """Draws the sheet in a process of its own, for at most `seconds`: whatever goes wrong there, the checkpoint is written."""
    command = [sys.executable, "-m", "training.sheet", "--checkpoint", str(checkpoint), "--out", str(path), "--device", device]
    try:
        subprocess.run(command, check=True, timeout=seconds)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"There is no sheet: {error}", file=sys.stderr)
        return False
    return True


def main() -> None:
    parser = options(prog="python -m training.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/tiny"), help="where the checkpoint is written")
    arguments = parser.parse_args()

    preset = PRESETS[arguments.preset]
    run = Run(preset.side)
    if arguments.restart:
        run.forget()
    train(run, arguments, preset, minutes_of(arguments, preset))
    if arguments.stage in ("editor", "all"):
        export.write(run, arguments.out)
        if preset.has_sheet:
            draw_sheet(arguments.out, run.folder / "sheet.png", preset.device, seconds=600)


if __name__ == "__main__":
    main()
