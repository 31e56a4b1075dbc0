"""Writes the small random checkpoints that the tests run, in the folder layout of diffusers.

Each covers what the others leave out (see CHECKPOINTS in `checkpoint_settings.py`). The weights are random but large
enough that every stage changes the result, so an error anywhere shows in the numbers.

Usage: python scripts/reference/make_checkpoints.py [--output test/fixtures/checkpoints] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import shutil
import zlib
from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import diffusers
import torch
from checkpoint_settings import CHECKPOINTS, CheckpointSettings
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from key_layouts import rewrite_clip_keys, rewrite_t5_keys
from pipeline import load_pipeline
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel
from vocabularies import write_clip, write_json, write_t5

CHECKPOINT_ROOT = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "checkpoints"

MODEL_INDEX = {
    "_class_name": "FluxKontextPipeline",
    "_diffusers_version": diffusers.__version__,
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    # The published file says "Fast"; transformers 5 would write T5Tokenizer, its other name for the same class.
    "tokenizer_2": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "FluxTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}

# Parameters for which a plain unit gain is too much or too little, by the end of the module's name.
GAINS = {
    # Modulations: shift, scale and gate stay below one, so that no block drowns the others.
    "norm1.linear": 0.7,
    "norm1_context.linear": 0.7,
    "norm.linear": 0.7,
    "norm_out.linear": 0.7,
    "_modulation_img.linear": 0.7,
    "_modulation_txt.linear": 0.7,
    "single_stream_modulation.linear": 0.7,
    # Sharp attention with a strong output: with plain gains the positions and the image hardly count.
    "attn.norm_q": 1.6,
    "attn.norm_k": 1.6,
    "attn.norm_added_q": 1.6,
    "attn.norm_added_k": 1.6,
    "attn.to_out.0": 2.0,
    "attn.to_add_out": 2.0,
    "attn.to_out": 2.0,
    "self_attn.q_norm": 1.6,
    "self_attn.k_norm": 1.6,
    "self_attn.o_proj": 2.0,
    "encoder.conv_out": 6.0,  # times the scaling factor: latents of about unit variance
    "decoder.conv_out": 0.35,  # most pixels are inside -1..1, so that few are clipped
}


@torch.no_grad()
def randomise(model: nn.Module, seed: int) -> None:
    """Give every parameter values that keep activations near one; they follow from the seed alone."""
    for name, module in model.named_modules():
        for kind, parameter in module.named_parameters(recurse=False):
            generator = torch.Generator().manual_seed(seed + zlib.crc32(f"{name}.{kind}".encode()))
            value = torch.randn(parameter.shape, generator=generator)
            gain = next((gain for suffix, gain in GAINS.items() if name.endswith(suffix)), 1.0)
            if kind == "bias":
                value *= 0.1
            elif parameter.ndim == 1:  # the scale of a norm
                value = gain * (1 + 0.2 * value)
            elif not isinstance(module, nn.Embedding):
                value *= gain / parameter[0].numel() ** 0.5
            parameter.copy_(value)


def save_as(folder: Path, dtype: torch.dtype) -> None:
    """Store the floating-point weights of a folder's files as another type."""
    for path in sorted(folder.glob("*.safetensors")):
        tensors = {name: value.to(dtype) if value.is_floating_point() else value for name, value in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})


def check_weights(checkpoint: str, pipeline: Any, models: dict[str, nn.Module]) -> None:
    """Make sure that diffusers finds every weight in the files; transformers would fill in a missing one silently."""
    for component, model in models.items():
        loaded = dict(getattr(pipeline, component).named_parameters())
        for name, value in model.named_parameters():
            if not torch.allclose(loaded[name], value.float(), rtol=1e-2, atol=1e-3):  # halves were rounded
                raise ValueError(f"{checkpoint}/{component}: {name} was not read from the file")


def write_text_encoders(folder: Path, settings: CheckpointSettings) -> dict[str, nn.Module]:
    clip_tokenizer = write_clip(folder / "tokenizer", **settings.clip_tokenizer)
    t5_tokenizer = write_t5(folder / "tokenizer_2", **settings.t5_tokenizer)
    clip_options: dict[str, Any] = dict(settings.clip)
    clip_options.setdefault("eos_token_id", clip_tokenizer.eos_token_id)
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(clip_tokenizer),
            max_position_embeddings=clip_tokenizer.model_max_length,
            bos_token_id=clip_tokenizer.bos_token_id,
            **clip_options,
        )
    )
    # Like the published vocabulary (32,100 tokens, 32,128 rows), the table has more rows than there are tokens.
    t5 = T5EncoderModel(T5Config(vocab_size=len(t5_tokenizer) + 3, **settings.t5))
    randomise(clip, settings.seed)
    randomise(t5, settings.seed + 1)
    clip.save_pretrained(folder / "text_encoder")
    t5.save_pretrained(folder / "text_encoder_2")
    rewrite_clip_keys(folder / "text_encoder" / "model.safetensors", **settings.clip_keys)
    rewrite_t5_keys(folder / "text_encoder_2" / "model.safetensors", settings.t5_keys)
    return {"text_encoder": clip, "text_encoder_2": t5}


def write_checkpoint(folder: Path, settings: CheckpointSettings) -> None:
    """Write one checkpoint; an existing folder of that name is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "model_index.json", MODEL_INDEX)
    models = write_text_encoders(folder, settings)
    FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0, **settings.scheduler).save_pretrained(
        folder / "scheduler"
    )
    vae = AutoencoderKL(**settings.vae)
    randomise(vae, settings.seed + 2)
    vae.save_pretrained(folder / "vae")
    transformer = FluxTransformer2DModel(**settings.transformer)
    randomise(transformer, settings.seed + 3)
    # Before saving, because the sizes of the shards are counted in the final type.
    transformer.to(settings.dtypes.get("transformer", torch.float32))
    transformer.save_pretrained(folder / "transformer", **settings.saving)
    for component, dtype in settings.dtypes.items():
        if component != "transformer":
            save_as(folder / component, dtype)
    check_weights(folder.name, load_pipeline(folder), models | {"vae": vae, "transformer": transformer})


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the small random checkpoints of the tests.")
    parser.add_argument("--output", type=Path, default=CHECKPOINT_ROOT)
    parser.add_argument("--only", nargs="*", choices=sorted(CHECKPOINTS), default=list(CHECKPOINTS))
    arguments = parser.parse_args()
    for name in arguments.only:
        write_checkpoint(arguments.output / name, CHECKPOINTS[name])
        size = sum(path.stat().st_size for path in (arguments.output / name).rglob("*") if path.is_file())
        print(f"{name}: {size / 1000:.0f} KB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
