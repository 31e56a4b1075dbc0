"""What both stages share: the clock that bounds a run, its saved state, its log, its averaged weights."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training import native

# One folder for each native side: what was trained at one cannot go on at another.
STATE_FOLDER = Path(".cache/training" if native.SIDE == native.DEFAULT else f".cache/training-{native.SIDE}")


@dataclass
class Limits:
    """What bounds this process, beside the minutes of its stages."""

    save_every_seconds: float = 180
    ends: float = math.inf  # the time.monotonic() at which it saves its state and stops
    pace: float = 1.0  # how many seconds of its stages' minutes one second spends


limits = Limits()


class SliceEnd(Exception):
    """The process has reached `limits.ends`, and its state is saved."""


def schedule(progress: float) -> float:
    """The learning rate's course over a stage: a short rise, constant, then linear to zero over the second half."""
    return min(1.0, progress / 0.01 + 0.05, max(0.0, 2.0 - 2.0 * progress))


def save(name: str, state: dict[str, Any]) -> None:
    """Writes the state beside the old one and renames it: a kill at any moment leaves one whole file."""
    STATE_FOLDER.mkdir(parents=True, exist_ok=True)
    path = STATE_FOLDER / f"{name}.pt"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def load(name: str) -> dict[str, Any] | None:
    path = STATE_FOLDER / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def exists(name: str) -> bool:
    return (STATE_FOLDER / f"{name}.pt").exists()


def log(stage: str, **figures: float) -> None:
    """Appends one JSON line to the log and prints it."""
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
    line = json.dumps({"time": time.strftime("%H:%M:%S"), "stage": stage, **rounded})
    STATE_FOLDER.mkdir(parents=True, exist_ok=True)
    with (STATE_FOLDER / "log.jsonl").open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)


class Clock:
    """Counts a stage's seconds across interruptions: `progress` runs from 0 to 1 over its minutes."""

    def __init__(self, minutes: float, spent_seconds: float = 0.0) -> None:
        self.budget = minutes * 60
        self.before = spent_seconds
        self.start = time.monotonic()
        self.saved = self.start

    @property
    def spent(self) -> float:
        return self.before + (time.monotonic() - self.start) * limits.pace

    @property
    def progress(self) -> float:
        if self.saved >= limits.ends:
            raise SliceEnd
        return self.spent / self.budget if self.budget else 1.0

    def save_is_due(self) -> bool:
        """True now and then, and once at the end of a slice; the next look at `progress` then raises SliceEnd."""
        now = time.monotonic()
        if now - self.saved < limits.save_every_seconds and now < limits.ends:
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
    """Refuses a machine without a GPU in one sentence, and lets what stays in single precision use its matrix units."""
    if not torch.cuda.is_available():
        raise SystemExit("The gpu preset needs a CUDA device, and PyTorch finds none here.")
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
