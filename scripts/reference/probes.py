"""Runs the four networks on made-up weights and inputs, as the pipeline does, from a configuration file alone.

Every number follows from its name and index (`numbers`), so that the tests have the same ones without a file. An output
is reduced to a few sums with made-up factors, in which every value counts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import numpy
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

Fields = Mapping[str, Any]

# Sums that an output is reduced to.
NUM_SUMS = 8

CLIP_TOKENS = [28, 3, 5, 29, 0, 5, 2]
T5_TOKENS = [3, 18, 7, 7, 1, 0, 11, 0, 0]


def numbers(name: str, count: int) -> numpy.ndarray:
    """Give numbers of -1 to 1 that look random: a hash of the name, mixed with the index (MurmurHash3's finaliser)."""
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    x = numpy.arange(count, dtype=numpy.uint32) * numpy.uint32(2654435761) + numpy.uint32(value)
    x = (x ^ (x >> numpy.uint32(16))) * numpy.uint32(0x85EBCA6B)
    x = (x ^ (x >> numpy.uint32(13))) * numpy.uint32(0xC2B2AE35)
    return (x ^ (x >> numpy.uint32(16))).astype(numpy.float64) / 2**31 - 1


def made_up(name: str, *shape: int) -> Tensor:
    count = int(numpy.prod(shape))
    return torch.from_numpy(numbers(name, count).astype(numpy.float32)).reshape(shape)


@torch.no_grad()
def fill(model: nn.Module) -> None:
    """Give every parameter numbers that keep activations near one."""
    for key, parameter in model.named_parameters():
        values = numbers(key, parameter.numel())
        if parameter.numel() == 0:
            continue
        if parameter.ndim > 1:
            values *= (3 / (parameter.numel() / parameter.shape[0])) ** 0.5
        elif key.endswith("weight"):  # the scale of a norm
            values = 1 + 0.4 * values
        else:
            values *= 0.2
        parameter.copy_(torch.from_numpy(values.astype(numpy.float32)).reshape(parameter.shape))


def sums(output: Tensor) -> list[float]:
    """Reduce an output to a few numbers, each a sum of all its values with other factors."""
    values = output.double().flatten().numpy()
    if not numpy.isfinite(values).all():
        raise ValueError("the output is not finite")
    scale = len(values) ** 0.5
    return [float((values * numbers(f"sum {index}", len(values))).sum() / scale) for index in range(NUM_SUMS)]


def in_file(fields: Fields, read: Callable[[Path], Any]) -> Any:
    """Have a configuration read from its file, as loading a folder does."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(fields))
        return read(Path(folder))


def filled(model: nn.Module) -> Any:
    fill(model)
    return model.eval()


def clip(fields: Fields) -> Tensor:
    """Give the pooled output, [1, C]."""
    model = filled(CLIPTextModel(in_file(fields, CLIPTextConfig.from_pretrained)))
    return model(torch.tensor([CLIP_TOKENS]), output_hidden_states=False).pooler_output


def t5(fields: Fields) -> Tensor:
    """Give the states of all tokens, [1, L, C]."""
    model = filled(T5EncoderModel(in_file(fields, T5Config.from_pretrained)))
    return model(torch.tensor([T5_TOKENS]), output_hidden_states=False)[0]


def flux(fields: Fields) -> Tensor:
    """Give the velocity of four tokens, beside a reference of two and a text of three."""
    config = in_file(fields, FluxTransformer2DModel.load_config)
    model = filled(FluxTransformer2DModel.from_config(config))
    ids = torch.tensor([[0, row, column] for row in (0, 1) for column in (0, 1)] + [[1, 0, 0], [1, 0, 1]])
    velocity = model(
        hidden_states=made_up("latents", 1, 6, model.config.in_channels),
        encoder_hidden_states=made_up("prompt", 1, 3, model.config.joint_attention_dim),
        pooled_projections=made_up("pooled", 1, model.config.pooled_projection_dim),
        timestep=torch.tensor([0.7]),
        guidance=torch.tensor([3.5]) if model.config.guidance_embeds else None,
        img_ids=ids.float(),
        txt_ids=torch.zeros(3, 3),
        return_dict=False,
    )[0][:, :4]
    # The scheduler adds it to the latents.
    if velocity.shape[-1] != model.config.in_channels:
        raise ValueError(f"the velocity has {velocity.shape[-1]} channels, the latents {model.config.in_channels}")
    return velocity


def vae(fields: Fields) -> Tensor:
    """Give the normalised latents of an image, and the image of normalised latents."""
    model = filled(AutoencoderKL.from_config(in_file(fields, AutoencoderKL.load_config)))
    config = model.config
    mode = model.encode(made_up("pixels", 1, 3, 16, 16)).latent_dist.mode()
    latents = (mode - config.shift_factor) * config.scaling_factor
    side = 16 // 2 ** (len(config.block_out_channels) - 1)
    normalised = made_up("latents", 1, config.latent_channels, side, side)
    pixels = model.decode(normalised / config.scaling_factor + config.shift_factor, return_dict=False)[0]
    # As `VaeImageProcessor` makes a picture of them: one channel is grey, three are RGB.
    if pixels.shape[1] not in (1, 3):
        raise ValueError(f"an image of {pixels.shape[1]} channels has no RGB picture")
    return torch.cat([latents.flatten(), pixels.expand(1, 3, -1, -1).flatten()])


PROBES: dict[str, Callable[[Fields], Tensor]] = {"flux": flux, "vae": vae, "clip": clip, "t5": t5}


@torch.no_grad()
def probe(network: str, fields: Fields) -> list[float]:
    return sums(PROBES[network](fields))
