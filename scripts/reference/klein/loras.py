"""Writes LoRAs of a small klein, and the pictures that diffusers edits with each of them.

The numbers of a LoRA follow from its keys, as in `flux2_loras.py`, so that only shapes and alphas are written. The
checkpoints must be there (`checkpoints.py`), and peft installed. `write_fixtures.py` writes these, too.

Usage: python scripts/reference/klein/loras.py [--output test/fixtures/klein]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import tools_folder  # noqa: E402, F401  (first)
import numpy  # noqa: E402
import torch  # noqa: E402
from flux2_loras import loras  # noqa: E402
from klein.cases import CASES  # noqa: E402
from klein.checkpoints import KLEIN_ROOT  # noqa: E402
from klein_pipeline import load_klein, run_klein  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from table_files import write_table  # noqa: E402

# An edit of one picture by a distilled checkpoint, one with guidance, and one with the picture's keys and values kept.
EDITS = [case for case in CASES if case.name in ("plain-one", "odd-one", "plain-kept-one")]
NAMINGS = {"diffusers": 0.8, "original": 1.0, "kohya": -0.5}
"""Naming of the keys -> strength."""


@torch.no_grad()
def write_klein_loras(output: Path) -> None:
    table, pictures = {}, {}
    for case in EDITS:
        images = [Image.open(output / "pictures" / name) for name in case.pictures]
        tensors_of = loras(load_klein(KLEIN_ROOT / case.checkpoint).transformer)
        for naming, scale in NAMINGS.items():
            name, tensors = f"{case.name}-{naming}", tensors_of[naming]
            pipeline = load_klein(KLEIN_ROOT / case.checkpoint, class_name=case.class_name)
            with tempfile.TemporaryDirectory() as folder:
                save_file(tensors, Path(folder) / "lora.safetensors")
                pipeline.load_lora_weights(folder, weight_name="lora.safetensors", adapter_name="lora")
            pipeline.set_adapters(["lora"], [scale])
            pictures[name] = torch.from_numpy(numpy.array(run_klein(pipeline, images, case.edit)))
            table[name] = {
                "case": case.name,
                "scale": scale,
                "shapes": {key: list(tensor.shape) for key, tensor in tensors.items() if tensor.ndim == 2},
                "alphas": {key: tensor.item() for key, tensor in tensors.items() if tensor.ndim == 0},
            }
    write_table(output / "loras.json", table)
    save_file(pictures, output / "loras.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write edits of klein with LoRAs.")
    parser.add_argument("--output", type=Path, default=KLEIN_ROOT.parent)
    write_klein_loras(parser.parse_args().output)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
