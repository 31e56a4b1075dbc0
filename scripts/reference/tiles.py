"""Encodes and decodes in tiles, as `AutoencoderKL` does after `enable_tiling()`, with tiles small enough for a test."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

TILE_SIDE = 32  # pixels
WIDTH, HEIGHT = 80, 56  # some tiles are cut off by the border, one is a single cell wide
SEED = 11


def tile_tensors(vae: AutoencoderKL) -> dict[str, Tensor]:
    """Give random pixels, what the tiled encoder makes of them, random latents, and what the tiled decoder does."""
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    vae.enable_tiling()
    vae.tile_sample_min_size = TILE_SIDE
    vae.tile_latent_min_size = TILE_SIDE // factor
    generator = torch.Generator("cpu").manual_seed(SEED)
    pixels = torch.rand(1, 3, HEIGHT, WIDTH, generator=generator) * 2 - 1
    shape = (1, vae.config.latent_channels, HEIGHT // factor, WIDTH // factor)
    latents = torch.randn(shape, generator=generator)
    with torch.no_grad():
        mean = vae.encode(pixels).latent_dist.mode()
        decoded = vae.decode(latents).sample
    vae.disable_tiling()
    return {"pixels": pixels, "mean": mean.contiguous(), "latents": latents, "decoded": decoded.contiguous()}
