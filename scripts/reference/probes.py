"""Runs the networks on made-up weights and inputs (`made_up.py`), as the pipelines do, from a configuration file alone."""

from __future__ import annotations

from collections.abc import Callable

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from klein.probes import KLEIN_PROBES
from made_up import Fields, filled, in_file, made_up, sums
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

CLIP_TOKENS = [28, 3, 5, 29, 0, 5, 2]
T5_TOKENS = [3, 18, 7, 7, 1, 0, 11, 0, 0]


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


PROBES: dict[str, Callable[[Fields], Tensor]] = {"flux": flux, "vae": vae, "clip": clip, "t5": t5} | KLEIN_PROBES


@torch.no_grad()
def probe(network: str, fields: Fields) -> list[float]:
    return sums(PROBES[network](fields))
