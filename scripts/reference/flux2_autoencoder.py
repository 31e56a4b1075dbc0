"""Writes small random autoencoders of FLUX.2, and what diffusers' class and the klein pipeline make of them.

Each folder of the output is a `vae` folder, with `tensors.safetensors` beside its weights: `pixels` and the normalised
`latents` that the pipeline encodes them to, `noise` and the `decoded` pixels that it decodes it to.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from checkpoint_settings import autoencoder
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline
from make_checkpoints import randomise, save_as
from safetensors.torch import save_file
from torch import Tensor

SIZE = (32, 16)  # pixels
TILED_SIZE = (20, 14)  # of the flat one, some of whose tiles are cut off by the border
TILE_SIDE = 8  # pixels, and of the flat one cells, too

# Together they have every switch on and off, and other sizes than the class has by default.
AUTOENCODERS: dict[str, dict[str, Any]] = {
    "usual": autoencoder(
        (4, 4, 6, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2, use_quant_conv=True,
        use_post_quant_conv=True, mid_block_add_attention=True,
    ),
    "odd": autoencoder(
        (3, 6, 9), layers_per_block=2, latent_channels=5, norm_num_groups=3, use_quant_conv=False,
        use_post_quant_conv=False, mid_block_add_attention=False, batch_norm_eps=0.01,
    ),
    # As the small published decoder: narrower than the encoder at every level.
    "small-decoder": autoencoder(
        (6, 6, 8, 8), decoder_block_out_channels=(4, 4, 4, 6), layers_per_block=1, latent_channels=3, norm_num_groups=2,
        use_quant_conv=True, use_post_quant_conv=True, mid_block_add_attention=True,
    ),
    "flat": autoencoder(
        (5,), layers_per_block=1, latent_channels=3, norm_num_groups=1, use_quant_conv=False, use_post_quant_conv=True,
        mid_block_add_attention=True, act_fn="gelu", batch_norm_eps=1e-3,
    ),
}  # fmt: skip
DTYPES = {"odd": torch.float16, "small-decoder": torch.bfloat16}


def make_autoencoder(name: str) -> AutoencoderKLFlux2:
    """Give an autoencoder with weights and batch statistics that follow from its name."""
    seed = 5000 + list(AUTOENCODERS).index(name)
    vae = AutoencoderKLFlux2(**AUTOENCODERS[name]).eval()
    randomise(vae, seed)
    generator = torch.Generator().manual_seed(seed)
    vae.bn.running_mean.normal_(0, 1.5, generator=generator)
    vae.bn.running_var.uniform_(0.05, 4, generator=generator)
    vae.bn.num_batches_tracked.fill_(1000)
    return vae


def pipeline_of(vae: AutoencoderKLFlux2) -> Flux2KleinPipeline:
    """Give a pipeline of nothing but the autoencoder."""
    return Flux2KleinPipeline(scheduler=None, vae=vae, text_encoder=None, tokenizer=None, transformer=None)


@torch.no_grad()
def decode(vae: AutoencoderKLFlux2, latents: Tensor) -> Tensor:
    """Decode as the end of `Flux2KleinPipeline.__call__`, which has no function for it."""
    mean = vae.bn.running_mean.view(1, -1, 1, 1)
    deviation = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
    return vae.decode(Flux2KleinPipeline._unpatchify_latents(latents * deviation + mean)).sample.contiguous()


@torch.no_grad()
def stage_tensors(vae: AutoencoderKLFlux2, size: tuple[int, int]) -> dict[str, Tensor]:
    """Give random inputs of a size in pixels, and the outputs of both halves."""
    width, height = size
    generator = torch.Generator().manual_seed(width * height)
    pixels = torch.rand(1, 3, height, width, generator=generator) * 2 - 1
    latents = pipeline_of(vae)._encode_vae_image(pixels, generator=generator).contiguous()
    noise = torch.randn(latents.shape, generator=generator)
    return {"pixels": pixels, "latents": latents, "noise": noise, "decoded": decode(vae, noise)}


def tiled_tensors(vae: AutoencoderKLFlux2) -> dict[str, Tensor]:
    vae.enable_tiling()
    vae.tile_sample_min_size = TILE_SIDE
    vae.tile_latent_min_size = TILE_SIDE // 2 ** (len(vae.config.block_out_channels) - 1)
    return {f"tiled.{name}": value for name, value in stage_tensors(vae, TILED_SIZE).items()}


def write_flux2_autoencoders(output: Path) -> None:
    for name in AUTOENCODERS:
        folder = output / name
        shutil.rmtree(folder, ignore_errors=True)
        vae = make_autoencoder(name)
        vae.save_pretrained(folder)
        if name in DTYPES:
            save_as(folder, DTYPES[name])
            vae = AutoencoderKLFlux2.from_pretrained(folder, torch_dtype=torch.float32)
        tensors = stage_tensors(vae, SIZE)
        if name == "flat":
            tensors |= tiled_tensors(vae)
        save_file(tensors, folder / "tensors.safetensors")
