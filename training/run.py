"""What both stages share: a run's saved state, log and bounds, the clock that counts its minutes, its averaged weights."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

DEFAULT_SIDE = 128
TOKEN = 16  # pixels on a side: 8 for the autoencoder, 2 for the packing


class TimeUp(Exception):
    """The process has reached its run's `ends`, and its state is saved."""


class Run:
    """A training on images of one side: where its state is, and what bounds this process besides its stages' minutes."""

    def __init__(self, side: int = DEFAULT_SIDE, folder: Path | None = None) -> None:
        """`side` in pixels, a multiple of 16. Each side has a folder of its own: what one has trained, another cannot continue."""
        if side % TOKEN:
            raise ValueError(f"The side of the images must be a multiple of {TOKEN}, the pixels of a token: {side} is not.")
        self.side = side
        self.folder = folder or Path(".cache/training" if side == DEFAULT_SIDE else f".cache/training-{side}")
        self.save_every_seconds: float = 180
        self.ends = math.inf  # the time.monotonic() at which it saves its state and stops
        self.pace = 1.0  # how many seconds of its stages' minutes one second spends

    @property
    def tokenizers(self) -> Path:
        return self.folder / "tokenizers"

    def forget(self) -> None:
        """Removes the saved state."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes the state beside the old one and renames it: a kill at any moment leaves one whole file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.pt"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def load(self, name: str) -> dict[str, Any] | None:
        return torch.load(self.folder / f"{name}.pt", map_location="cpu", weights_only=True) if self.exists(name) else None

    def exists(self, name: str) -> bool:
        return (self.folder / f"{name}.pt").exists()

    def log(self, stage: str, **figures: float) -> None:
        """Appends one JSON line to the log and prints it."""
        rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
        line = json.dumps({"time": time.strftime("%H:%M:%S"), "stage": stage, **rounded})
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


def schedule(progress: float) -> float:
    """The learning rate's course over a stage: a short rise, constant, then linear to zero over the second half."""
    return min(1.0, progress / 0.01 + 0.05, max(0.0, 2.0 - 2.0 * progress))


class Clock:
    """Counts a stage's seconds across interruptions: `progress` runs from 0 to 1 over its minutes."""

    def __init__(self, run: Run, minutes: float, spent_seconds: float = 0.0) -> None:
        self.run = run
        self.budget = minutes * 60
        self.before = spent_seconds
        self.start = time.monotonic()
        self.saved = self.start

    @property
    def spent(self) -> float:
        return self.before + (time.monotonic() - self.start) * self.run.pace

    @property
    def progress(self) -> float:
        if self.saved >= self.run.ends:
            raise TimeUp
        return self.spent / self.budget if self.budget else 1.0

    def save_is_due(self) -> bool:
        """True now and then, and once when the run's time is up; reading `progress` then raises TimeUp."""
        now = time.monotonic()
        if now - self.saved < self.run.save_every_seconds and now < self.run.ends:
            return False
        self.saved = now
        return True


class Average:
    """The exponential average of a model's weights, which is what is exported."""

    def __init__(self, model: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.steps = 0
        self.device = next(model.parameters()).device
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @property
    def weights(self) -> dict[str, Tensor]:
        return self._weights

    @weights.setter
    def weights(self, weights: dict[str, Tensor]) -> None:
        """A saved state is read into the processor's memory, while the model may be on a GPU."""
        self._weights = {k: v.to(self.device) for k, v in weights.items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.steps += 1
        # Early on, the average forgets its start faster than at `decay`.
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        values = model.state_dict()
        torch._foreach_lerp_([self.weights[name] for name in values], list(values.values()), 1 - decay)


def use_cuda() -> None:
    """Refuses a machine without a GPU in one sentence, and lets single precision use the GPU's matrix units."""
    if not torch.cuda.is_available():
        raise SystemExit("The gpu preset needs a CUDA device, and PyTorch finds none here.")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
