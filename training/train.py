"""The command line: `python -m training.train --minutes 120` trains both stages and exports the checkpoint.

Ends by the clock, not by a step count. Stopped or killed, the same command goes on where the last state was saved.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from training import native
from training.presets import PRESETS, Preset

STARTED = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("--minutes", type=float, help="wall time of all stages together (default: the preset's, 120 for cpu)")
    parser.add_argument("--preset", choices=PRESETS, default="cpu", help="device, size and batches (default cpu)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stage", choices=("autoencoder", "editor", "all"), default="all")
    parser.add_argument("--autoencoder-minutes", type=float, help="instead of the preset's share of --minutes; 0 with --from keeps its autoencoder")
    parser.add_argument("--guidance-minutes", type=float, help="instead of the preset's share of --minutes")
    parser.add_argument("--restart", action="store_true", help="forget the saved state first")
    parser.add_argument("--from", dest="start", type=Path, help="begin from this checkpoint folder instead of from nothing")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/tiny"), help="where the checkpoint is written")
    parser.add_argument("--slice-minutes", type=float, help="stop after so long and write --parts instead of --out")
    parser.add_argument("--slices-left", type=int, help="end with the last of so many slices, this one counted")
    parser.add_argument("--parts", type=Path, default=Path("out/parts"), help="where a slice leaves what there is (default out/parts)")
    parser.add_argument("--plan", action="store_true", help="print what the gpu preset will run, carry and cost, and do nothing")
    parser.add_argument("--json", action="store_true", help="with --plan: as JSON")
    arguments = parser.parse_args()

    preset = PRESETS[arguments.preset]
    if arguments.plan:
        from training.gpu import plan

        if arguments.preset != "gpu":
            parser.error("--plan is for --preset gpu.")
        plan.show(arguments.json, arguments.slice_minutes)
        return
    native.choose(preset.side)
    train(arguments, preset)


def train(arguments: argparse.Namespace, preset: Preset) -> None:
    # Imported here, since they copy the native side as they are imported.
    from training import ahead, autoencoder, editor, export, run, slices

    if arguments.restart:
        shutil.rmtree(run.STATE_FOLDER, ignore_errors=True)
    whole = arguments.minutes or preset.minutes
    first = whole * preset.autoencoder_share if arguments.autoencoder_minutes is None else arguments.autoencoder_minutes
    last = whole * preset.guidance_share if arguments.guidance_minutes is None else arguments.guidance_minutes
    minutes = {"autoencoder": first, "edits": whole - first - last, "guidance": last}
    run.limits.save_every_seconds = preset.save_every_seconds
    if arguments.slice_minutes:
        slices.begin(STARTED, arguments.slice_minutes, arguments.slices_left, minutes)
    if preset.device == "cuda":
        run.use_cuda()
    try:
        with ahead.workers(preset.workers, preload="training.editor"):
            if arguments.stage in ("autoencoder", "all"):
                autoencoder.train(first, preset.autoencoder_batch, arguments.seed, preset.device, arguments.start)
            if arguments.stage in ("editor", "all"):
                editor.train(
                    minutes["edits"], last, preset.editor_batch, arguments.seed, preset.device, arguments.start, preset.start_gain
                )
    except run.SliceEnd:
        pass
    if arguments.slice_minutes:
        slices.hand_back(arguments.parts, minutes, preset.device if preset.has_sheet else None)
    elif arguments.stage in ("editor", "all"):
        export.write(arguments.out)
        if preset.has_sheet:
            slices.draw_sheet(arguments.out, run.STATE_FOLDER / "sheet.png", preset.device, seconds=600)


if __name__ == "__main__":
    main()
