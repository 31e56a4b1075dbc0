"""Runs the program on the model card of checkpoints/tiny, and compares the command's image with its image.

The card loads the pipeline without arguments, so this also proves that the folder's configurations say float32.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

CARD = Path("checkpoints/tiny/README.md")
SOURCE = Path("examples/bluebird.png")
WANTED_DECIBELS = 50.0


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of 8-bit images."""
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def main() -> None:
    program = re.search(r"```python\n(.*?)```", CARD.read_text(), re.DOTALL)
    if program is None:
        sys.exit(f"{CARD} shows no Python program.")
    names: dict[str, object] = {}
    exec(compile(program.group(1), str(CARD), "exec"), names)
    expected = names["result"]
    assert isinstance(expected, Image.Image)

    prompt = re.search(r'prompt="([^"]+)"', program.group(1))
    seed = re.search(r"manual_seed\((\d+)\)", program.group(1))
    if prompt is None or seed is None:
        sys.exit(f"The program of {CARD} names no prompt or no seed.")
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "source.png"), Path(folder, "edited.png")
        # The two sides scale by different libraries, so both get the image at the size at which it is edited; and what the network
        # draws is compared, not what the command carries over from the image.
        Image.open(SOURCE).convert("RGB").resize(expected.size).save(source)
        command = ["node", "bin/retouch.js", "edit", str(source), prompt.group(1), "--seed", seed.group(1)]
        options = ["--steps=28", "--guidance=2", "--preserve=off", "--weights=fp32", "--quiet", "-o", str(output)]
        subprocess.run([*command, *options], check=True)
        reached = decibels(np.asarray(Image.open(output).convert("RGB")), np.asarray(expected))
    if reached < WANTED_DECIBELS:
        sys.exit(f"The command's image is {reached:.1f} dB from that of {CARD}; at least {WANTED_DECIBELS} are wanted.")
    print(f"The command's image is {reached:.1f} dB from the one that the model card's program makes.")


if __name__ == "__main__":
    main()
