"""The presets of `python -m training.train`: device, size and batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    device: str
    side: int  # of the images, in pixels
    minutes: float  # of all stages together
    autoencoder_share: float  # of the minutes; the edits get what the other two leave
    guidance_share: float
    autoencoder_batch: int
    editor_batch: int
    workers: int  # processes that draw; 0: the training process draws itself
    save_every_seconds: float
    start_gain: float  # the rates of a training that begins from a checkpoint, over those of one from nothing
    has_sheet: bool = True  # at the end of a training or slice


PRESETS = {
    # A seventh for the autoencoder, an eighth for learning guidance, the rest for the edits. Low rates keep what is learnt
    # already: at three quarters of the rates, the fifth run of checkpoints/tiny ended no lower than it began.
    "cpu": Preset("cpu", 128, 120, 0.14, 0.13, 16, 32, workers=0, save_every_seconds=180, start_gain=0.25),
    # Estimated for an H100 with 16 cores, not measured on one; training/README.md gives the reasons.
    "gpu": Preset("cuda", 256, 20.4, 0.16, 0.14, 128, 128, workers=14, save_every_seconds=60, start_gain=0.75),
    # Takes seconds on one core: the tests run a whole training with it.
    "toy": Preset("cpu", 64, 0.12, 0.2, 0.2, 2, 2, workers=1, save_every_seconds=0.5, start_gain=0.25, has_sheet=False),
}
