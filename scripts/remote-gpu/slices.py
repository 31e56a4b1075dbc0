"""A training in slices: each lasts as long as one command may take on a borrowed machine, and hands back what there is."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import parts
import torch
from training import export
from training.run import Run
from training.train import draw_sheet

# Of every slice's time, what its stages' minutes do not count: imports, reading the state, the vocabulary, a last save.
UNCOUNTED_SHARE = 0.05
SHEET_SECONDS = 60  # at most; a slice does without its sheet rather than be cut off


def progress(run: Run, minutes: dict[str, float]) -> dict[str, float]:
    """How much of each stage's minutes the saved states have spent, 0 to 1. The stages are in order."""
    spent = dict.fromkeys(minutes, 0.0)
    for name in ("autoencoder", "editor"):
        path = run.folder / f"{name}.pt"
        if not path.exists():
            continue
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        stage = state.get("phase", "autoencoder")
        for earlier in list(minutes)[: list(minutes).index(stage)]:
            spent[earlier] = 1.0
        spent[stage] = min(1.0, state["seconds"] / (60 * minutes[stage])) if minutes[stage] else 1.0
    return spent


def begin(run: Run, started: float, slice_minutes: float, slices_left: int | None, minutes: dict[str, float]) -> None:
    """Bounds this process, which began at `started`.

    Where it is told how many slices are left, this one included, it spends the stages' minutes at the pace that ends them
    with the last slice, whatever was lost before: a training that is cut off before its rates have fallen is worth little.
    """
    run.ends = started + 60 * slice_minutes
    if slices_left:
        left = sum(60 * minutes[stage] * (1 - done) for stage, done in progress(run, minutes).items())
        seconds = run.ends - time.monotonic() + 60 * slice_minutes * (slices_left - 1)
        run.pace = left / max(1.0, (1 - UNCOUNTED_SHARE) * seconds)


def hand_back(run: Run, folder: Path, minutes: dict[str, float], sheet_device: str | None) -> None:
    """Writes the checkpoint so far in parts, the log and a sheet into `folder`, and prints how far the training is."""
    folder.mkdir(parents=True, exist_ok=True)
    done = progress(run, minutes)
    run.log("slice", **done)
    shutil.copyfile(run.folder / "log.jsonl", folder / "log.jsonl")
    what = "the log"
    if run.exists("editor"):
        checkpoint = run.folder / "checkpoint"
        export.write(run, checkpoint)
        written = parts.write(checkpoint, folder)
        what = f"the log and the checkpoint in {len(written)} parts"
        if sheet_device and draw_sheet(checkpoint, folder / "sheet.png", sheet_device, SHEET_SECONDS):
            what += ", with a sheet,"
    far = ", ".join(f"{stage} {share:.0%}" for stage, share in done.items())
    print(f"{'Trained' if min(done.values()) == 1 else 'Slice over'}: {far}; {what} are in {folder}.", flush=True)
