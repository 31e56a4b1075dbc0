"""The side of the pictures that a checkpoint is trained at, in pixels: the one place that says so.

It is 128 unless `RETOUCH_NATIVE_SIDE` or a preset says otherwise. Child processes inherit it by the environment.
"""

from __future__ import annotations

import os
import sys

DEFAULT = 128
SIDE = int(os.environ.get("RETOUCH_NATIVE_SIDE", DEFAULT))


def choose(side: int) -> None:
    """Sets the side. The stages copy it as they are imported, so it must be chosen before."""
    global SIDE
    if side % 16:
        raise ValueError(f"The native side must be a multiple of 16, the pixels of a token: {side} is not.")
    if side != SIDE and "training.autoencoder" in sys.modules:
        raise RuntimeError("The native side must be chosen before training.autoencoder is imported.")
    SIDE = side
    os.environ["RETOUCH_NATIVE_SIDE"] = str(side)
