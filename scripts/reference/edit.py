"""Edits one image with diffusers, without Retouch: the other side of an end-to-end comparison.

Usage: python scripts/reference/edit.py --checkpoint checkpoints/tiny --image x.png --prompt "..." --seed 1 --steps 28
       --guidance 2 --width 128 --height 128 [--negative-prompt "..." --true-cfg-scale 2] -o out.png

Width and height are multiples of twice the autoencoder's scale factor, and so are the sides of the input image;
nothing is rescaled.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tools_folder  # noqa: F401  (first)
from pipeline import Edit, load_pipeline, run_edit
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description="Edit one image with diffusers.")
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder in the layout of diffusers")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--negative-prompt")
    parser.add_argument("--true-cfg-scale", type=float, default=2.0, help="used with a negative prompt only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=28)
    parser.add_argument("--guidance", type=float, default=2.5)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()

    pipeline = load_pipeline(arguments.checkpoint)
    grid = 2 * pipeline.vae_scale_factor
    image = Image.open(arguments.image).convert("RGB")
    for side in (arguments.width, arguments.height, *image.size):
        if side % grid:
            parser.error(f"a side of {side} pixels is not a multiple of {grid}, and diffusers would rescale the image")
    edit = Edit(
        prompt=arguments.prompt,
        width=arguments.width,
        height=arguments.height,
        seed=arguments.seed,
        steps=arguments.steps,
        guidance=arguments.guidance,
        negative_prompt=arguments.negative_prompt,
        true_scale=arguments.true_cfg_scale,
    )
    run_edit(pipeline, image, edit).save(arguments.output)


if __name__ == "__main__":
    main()
