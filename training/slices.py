"""A training in slices: each lasts as long as one command may take on a borrowed machine, and hands back what there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from training import export, run
from training.gpu import parts

# Of every slice's time, what its stages' minutes do not count: imports, reading the state, the vocabulary, a last save.
UNCOUNTED_SHARE = 0.05
SHEET_SECONDS = 60  # at most; a slice does without its sheet rather than be cut off


def progress(minutes: dict[str, float]) -> dict[str, float]:
    """How much of each stage's minutes the saved states have spent, 0 to 1. The stages are in order."""
    spent = dict.fromkeys(minutes, 0.0)
    for name in ("autoencoder", "editor"):
        path = run.STATE_FOLDER / f"{name}.pt"
        if not path.exists():
            continue
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        stage = state.get("phase", "autoencoder")
        for earlier in list(minutes)[: list(minutes).index(stage)]:
            spent[earlier] = 1.0
        spent[stage] = min(1.0, state["seconds"] / (60 * minutes[stage])) if minutes[stage] else 1.0
    return spent


def begin(started: float, slice_minutes: float, slices_left: int | None, minutes: dict[str, float]) -> None:
    """Bounds this process. Told how many slices are left, this one too, it spends the stages' minutes at the pace that ends
    them with the last slice, whatever was lost before: a training cut off before its rates have fallen is worth little."""
    run.limits.ends = started + 60 * slice_minutes
    if slices_left:
        left = sum(60 * minutes[stage] * (1 - done) for stage, done in progress(minutes).items())
        seconds = run.limits.ends - time.monotonic() + 60 * slice_minutes * (slices_left - 1)
        run.limits.pace = left / max(1.0, (1 - UNCOUNTED_SHARE) * seconds)


def hand_back(folder: Path, minutes: dict[str, float], sheet_device: str | None) -> None:
    """Writes the checkpoint so far in parts, the log and a sheet into `folder`, and says how far the training is."""
    folder.mkdir(parents=True, exist_ok=True)
    done = progress(minutes)
    run.log("slice", **done)
    shutil.copyfile(run.STATE_FOLDER / "log.jsonl", folder / "log.jsonl")
    what = "the log"
    if (run.STATE_FOLDER / "editor.pt").exists():
        checkpoint = run.STATE_FOLDER / "checkpoint"
        export.write(checkpoint)
        written = parts.write(checkpoint, folder)
        what = f"the log and the checkpoint in {len(written)} parts"
        if sheet_device and draw_sheet(checkpoint, folder / "sheet.png", sheet_device):
            what += ", with a sheet,"
    far = ", ".join(f"{stage} {share:.0%}" for stage, share in done.items())
    print(f"{'Trained' if min(done.values()) == 1 else 'Slice over'}: {far}; {what} are in {folder}.", flush=True)


def draw_sheet(checkpoint: Path, path: Path, device: str, seconds: float = SHEET_SECONDS) -> bool:
    """In a process of its own: whatever goes wrong there, the training has its checkpoint."""
    command = [sys.executable, "-m", "training.sheet", "--checkpoint", str(checkpoint), "--out", str(path), "--device", device]
    try:
        subprocess.run(command, check=True, timeout=seconds)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"There is no sheet: {error}", file=sys.stderr)
        return False
    return True
