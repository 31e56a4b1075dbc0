"""Writes the saved state as a checkpoint folder: `python -m training.export checkpoints/tiny`, during training too.

The layout is the published one, so `FluxKontextPipeline.from_pretrained` and this repository's engine read it alike.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from safetensors import safe_open
from safetensors.torch import save_file

from training import autoencoder
from training.editor import model
from training.run import DEFAULT_SIDE, Run

PARTS = ("transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")


def _edit_json(path: Path, **changes: object) -> None:
    data = json.loads(path.read_text())
    data.update(changes)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _publish_clip_keys(path: Path) -> None:
    """The library saves CLIP as `embeddings...`; the published files say `text_model.embeddings...`."""
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
    named = {key if key.startswith("text_model.") else f"text_model.{key}": value.contiguous() for key, value in tensors.items()}
    save_file(named, path, metadata={"format": "pt"})


def write(run: Run, folder: Path) -> None:
    """Writes the averaged weights of the run's saved state into `folder`, in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
    editor = model.trained(run)
    editor.transformer.half().save_pretrained(folder / "transformer")
    autoencoder.trained(run).half().save_pretrained(folder / "vae")
    editor.clip.half().save_pretrained(folder / "text_encoder")
    editor.t5.half().save_pretrained(folder / "text_encoder_2")
    _publish_clip_keys(folder / "text_encoder" / "model.safetensors")
    # Stored in half precision, computed in single: a pipeline loaded without arguments must not run text in half.
    _edit_json(folder / "text_encoder" / "config.json", dtype="float32", architectures=["CLIPTextModel"])
    _edit_json(folder / "text_encoder_2" / "config.json", dtype="float32", architectures=["T5EncoderModel"])
    for part in ("tokenizer", "tokenizer_2"):
        shutil.copytree(run.tokenizers / part, folder / part)
    FlowMatchEulerDiscreteScheduler(**model.SCHEDULER).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "FluxKontextPipeline",
        "_diffusers_version": json.loads((folder / "transformer" / "config.json").read_text())["_diffusers_version"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "text_encoder_2": ["transformers", "T5EncoderModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "tokenizer_2": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "image_encoder": [None, None],
        "feature_extractor": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    for config in folder.glob("*/config.json"):
        data = json.loads(config.read_text())
        data.pop("_name_or_path", None)
        config.write_text(json.dumps(data, indent=2) + "\n")
    for file in folder.glob("*/*.safetensors"):
        file.chmod(0o644)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("checkpoints/tiny"))
    parser.add_argument("--side", type=int, default=DEFAULT_SIDE, help="of the images that were trained on (default %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write(Run(arguments.side), arguments.folder)
