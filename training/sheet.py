"""Edits the example image with a checkpoint and a fixed list of instructions: `python -m training.sheet`.

The list was written before any result was seen and nothing is selected: instruction n has seed n.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import torch
from diffusers import FluxKontextPipeline
from PIL import Image, ImageDraw

from training import vocabulary

EXAMPLE = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space"

INSTRUCTIONS = (
    "Change the background to a beach",
    "Exact same bluebird, same angle and posture, now perched on a cloud in the sky",
    "Put the bird in the snow",
    "The same bluebird, now underwater",
    "Change the background to a city",
    "Replace the background with a plain yellow wall",
    "Make the bluebird red",
    "Turn the bird green",
    "Make it black and white",
    "Turn it into pixel art",
    "Make it look like an old photograph",
    "Turn it into a pencil sketch",
    "Make it night",
    "Make it snow",
    "Add a rainbow",
    "Add a mushroom on the right",
    "Add a cat next to the bird",
    "Replace the bird with a penguin",
    "Remove the bluebird",
    "Put the bluebird on a rock in the desert",
)


def edit(pipeline: FluxKontextPipeline, image: Image.Image, text: str, seed: int, guidance: float, **more: object) -> Image.Image:
    """One edit of a square image at its own size, 28 steps."""
    side = image.width
    return pipeline(
        prompt=text, image=image, height=side, width=side, max_area=side * side, _auto_resize=False,
        max_sequence_length=vocabulary.MAX_LENGTH, num_inference_steps=28, guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(seed), **more,
    ).images[0]  # fmt: skip


def grid(images: list[Image.Image], captions: list[str], columns: int) -> Image.Image:
    """Images of one square size, each with its caption below."""
    rows, side = -(-len(images) // columns), images[0].width
    sheet = Image.new("RGB", (columns * (side + 6) + 6, rows * (side + 40) + 6), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = 6 + index % columns * (side + 6), 6 + index // columns * (side + 40)
        sheet.paste(image, (x, y))
        for line, words in enumerate(textwrap.wrap(caption, 24)[:3]):
            draw.text((x, y + side + 1 + 11 * line), words, fill="black")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.sheet", description=__doc__)
    parser.add_argument("--checkpoint", default="checkpoints/tiny")
    parser.add_argument("--image", default="examples/bluebird.png")
    parser.add_argument("--out", type=Path, default=Path("checkpoints/tiny/sheet.png"))
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--true-guidance", type=float, default=1.0, help="above 1: true guidance, two passes a step")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--headline", action="store_true", help="the held-out sentence with eight seeds instead of the list")
    arguments = parser.parse_args()

    pipeline = FluxKontextPipeline.from_pretrained(arguments.checkpoint).to(arguments.device)
    pipeline.set_progress_bar_config(disable=True)
    side = pipeline.vae.config.sample_size
    source = Image.open(arguments.image).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    texts = (EXAMPLE,) * 8 if arguments.headline else INSTRUCTIONS
    more = {"negative_prompt": "", "true_cfg_scale": arguments.true_guidance} if arguments.true_guidance > 1 else {}
    images = [edit(pipeline, source, text, seed, arguments.guidance, **more) for seed, text in enumerate(texts)]
    grid([source, *images], ["(the picture)", *texts], columns=7).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
