"""Runs the networks of klein on made-up weights and inputs (`made_up.py`), as its pipeline does."""

from __future__ import annotations

from collections.abc import Callable

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
from made_up import Fields, filled, in_file, made_up
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

# The last two are padding.
QWEN_TOKENS = [28, 3, 5, 29, 0, 5, 2, 1, 1]
QWEN_MASK = [1, 1, 1, 1, 1, 1, 1, 0, 0]
# The hidden states that are read, in place of the pipeline's 9, 18 and 27.
QWEN_LAYERS = (1, 2)


def flux2(fields: Fields) -> Tensor:
    """Give the velocity of four tokens, beside a reference of two and a text of three."""
    model = filled(Flux2Transformer2DModel.from_config(in_file(fields, Flux2Transformer2DModel.load_config)))
    images = [[0, row, column, 0] for row in (0, 1) for column in (0, 1)] + [[10, 0, 0, 0], [10, 0, 1, 0]]
    velocity = model(
        hidden_states=made_up("latents", 1, 6, model.config.in_channels),
        encoder_hidden_states=made_up("prompt", 1, 3, model.config.joint_attention_dim),
        timestep=torch.tensor([0.7]),
        guidance=None,
        img_ids=torch.tensor([images]),
        txt_ids=torch.tensor([[[0, 0, 0, token] for token in range(3)]]),
        return_dict=False,
    )[0][:, :4]
    # The scheduler adds it to the latents.
    if velocity.shape[-1] != model.config.in_channels:
        raise ValueError(f"the velocity has {velocity.shape[-1]} channels, the latents {model.config.in_channels}")
    return velocity


def flux2_vae(fields: Fields) -> Tensor:
    """Give the normalised latents of an image, and the image of normalised latents."""
    model = filled(AutoencoderKLFlux2.from_config(in_file(fields, AutoencoderKLFlux2.load_config)))
    mean = model.bn.running_mean.view(1, -1, 1, 1)
    deviation = torch.sqrt(model.bn.running_var.view(1, -1, 1, 1) + model.config.batch_norm_eps)
    mode = model.encode(made_up("pixels", 1, 3, 16, 16)).latent_dist.mode()
    latents = (Flux2KleinPipeline._patchify_latents(mode) - mean) / deviation
    side = 16 // 2 ** len(model.config.block_out_channels)
    normalised = made_up("latents", 1, 4 * model.config.latent_channels, side, side)
    patches = normalised * deviation + mean
    pixels = model.decode(Flux2KleinPipeline._unpatchify_latents(patches), return_dict=False)[0]
    # As `VaeImageProcessor` makes a picture of them: one channel is grey, three are RGB.
    if pixels.shape[1] not in (1, 3):
        raise ValueError(f"an image of {pixels.shape[1]} channels has no RGB picture")
    return torch.cat([latents.flatten(), pixels.expand(1, 3, -1, -1).flatten()])


def qwen3(fields: Fields) -> Tensor:
    """Give two layers' states of all tokens beside each other, [L, 2C]."""
    model = Qwen3ForCausalLM(in_file(fields, Qwen3Config.from_pretrained))
    filled(model.model)
    states = model.eval()(
        input_ids=torch.tensor([QWEN_TOKENS]),
        attention_mask=torch.tensor([QWEN_MASK]),
        output_hidden_states=True,
        use_cache=False,
    ).hidden_states
    return torch.cat([states[layer][0] for layer in QWEN_LAYERS], dim=1)


KLEIN_PROBES: dict[str, Callable[[Fields], Tensor]] = {"flux2": flux2, "flux2-vae": flux2_vae, "qwen3": qwen3}
