"""Runs small FLUX.2 transformers on made-up weights and inputs, for the tests of each stage.

Weights and inputs follow from their names (`made_up.numbers`), so that the tests have the same ones without a file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2Transformer2DModel
from diffusers.models.transformers.transformer_flux2 import Flux2KVAttnProcessor, Flux2KVParallelSelfAttnProcessor
from made_up import fill, made_up
from safetensors.torch import save_file
from torch import Tensor

# The noise levels of two steps, and guidance.
SIGMAS = (0.7, 0.25)
GUIDANCE = 3.5

TARGET = (3, 2)  # rows, columns
TEXT_TOKENS = 5


@dataclass
class Case:
    name: str
    config: dict[str, Any]
    references: list[tuple[int, int]] = field(default_factory=list)
    is_guided: bool = False


SMALL = {
    "in_channels": 12,
    "num_layers": 2,
    "num_single_layers": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 3,
    "joint_attention_dim": 10,
    "timestep_guidance_channels": 16,
    "axes_dims_rope": [2, 2, 2, 2],
    "guidance_embeds": False,
}

CASES = [
    Case("odd-heads", SMALL, references=[(2, 3)]),
    Case("one-double-block", SMALL | {"num_layers": 1, "num_single_layers": 4, "mlp_ratio": 2.55}),
    Case("no-single-block", SMALL | {"num_single_layers": 0}, references=[(1, 4), (3, 2), (2, 2)]),
    Case("no-double-block", SMALL | {"num_layers": 0, "rope_theta": 10000, "eps": 1e-3}, references=[(2, 2)]),
    # Two to six, as of the 32B model, which is distilled from guidance.
    Case(
        "guidance",
        SMALL | {"guidance_embeds": True, "num_layers": 1, "num_single_layers": 6, "axes_dims_rope": [4, 2, 2]},
        references=[(2, 2), (1, 1)],
        is_guided=True,
    ),
    Case("guidance-unused", SMALL | {"guidance_embeds": True, "num_layers": 1, "num_single_layers": 1}),
    # One to three, 8 heads and three widths of text, as of the 9B model.
    Case(
        "nine",
        SMALL | {"num_attention_heads": 8, "attention_head_dim": 16, "joint_attention_dim": 48,
                 "num_layers": 1, "num_single_layers": 3, "axes_dims_rope": [4, 4, 4, 4], "mlp_ratio": 3.0},
        references=[(2, 3)],
    ),
    Case("odd-time-channels", SMALL | {"timestep_guidance_channels": 9, "num_layers": 1, "num_single_layers": 1}),
]


def positions(time: int, size: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Give the ids of a grid's tokens, as `Flux2KleinPipeline` numbers them."""
    return [(time, row, column, 0) for row, column in itertools.product(range(size[0]), range(size[1]))]


def modulation_of(model: Flux2Transformer2DModel, sigma: float, guidance: Tensor | None) -> Tensor:
    """Give all vectors of one step, [1, 17 C]."""
    scaled = guidance * 1000 if guidance is not None else None
    temb = model.time_guidance_embed(torch.tensor([sigma]) * 1000, scaled)
    parts = [
        model.double_stream_modulation_img(temb),
        model.double_stream_modulation_txt(temb),
        model.single_stream_modulation(temb),
        model.norm_out.linear(model.norm_out.silu(temb)),
    ]
    return torch.cat(parts, dim=1)


def record(case: Case) -> dict[str, Tensor]:
    """Give every stage of a case, with the positions that it had."""
    model = Flux2Transformer2DModel(**case.config)
    fill(model)
    model.eval()
    text_ids = torch.tensor([(0, 0, 0, token) for token in range(TEXT_TOKENS)]).float()
    target_ids = torch.tensor(positions(0, TARGET)).float()
    placed = [position for index, size in enumerate(case.references) for position in positions(10 + 10 * index, size)]
    reference_ids = torch.tensor(placed).float().reshape(-1, 4)
    latents = made_up("latents", 1, len(target_ids), case.config["in_channels"])
    references = made_up("references", 1, len(reference_ids), case.config["in_channels"])
    guidance = torch.tensor([GUIDANCE]) if case.is_guided else None
    inputs = {
        "encoder_hidden_states": made_up("prompt", 1, TEXT_TOKENS, case.config["joint_attention_dim"]),
        "txt_ids": text_ids[None],
        "guidance": guidance,
        "return_dict": False,
    }

    tensors = {"textIds": text_ids, "targetIds": target_ids, "referenceIds": reference_ids}
    tensors["modulation"] = torch.cat([modulation_of(model, sigma, guidance) for sigma in SIGMAS])
    kept: list[tuple[Tensor, Tensor]] = []
    if len(model.transformer_blocks) > 0:
        handle = model.transformer_blocks[0].register_forward_hook(lambda _, __, output: kept.append(output))
    tensors["velocity"] = model(
        hidden_states=torch.cat([latents, references], dim=1),
        timestep=torch.tensor([SIGMAS[0]]),
        img_ids=torch.cat([target_ids, reference_ids])[None],
        **inputs,
    )[0][0, : len(target_ids)]
    if kept:
        handle.remove()
        tensors["text"], tensors["image"] = kept[0][0][0], kept[0][1][0]
    if case.references:
        tensors |= record_cached(model, latents, references, target_ids, reference_ids, inputs)
    return {key: tensor.contiguous() for key, tensor in tensors.items()}


def record_cached(
    model: Flux2Transformer2DModel,
    latents: Tensor,
    references: Tensor,
    target_ids: Tensor,
    reference_ids: Tensor,
    inputs: dict[str, Any],
) -> dict[str, Tensor]:
    """Give the velocities of two steps with kept keys and values, and the latter, as `Flux2KleinKVPipeline` runs them."""
    for block in model.transformer_blocks:
        block.attn.set_processor(Flux2KVAttnProcessor())
    for block in model.single_transformer_blocks:
        block.attn.set_processor(Flux2KVParallelSelfAttnProcessor())
    first, cache = model(
        hidden_states=torch.cat([references, latents], dim=1),
        timestep=torch.tensor([SIGMAS[0]]),
        img_ids=torch.cat([reference_ids, target_ids])[None],
        kv_cache_mode="extract",
        num_ref_tokens=len(reference_ids),
        **inputs,
    )
    later = model(
        hidden_states=latents,
        timestep=torch.tensor([SIGMAS[1]]),
        img_ids=target_ids[None],
        kv_cache=cache,
        kv_cache_mode="cached",
        **inputs,
    )[0]
    tensors = {"cached.velocities": torch.cat([first, later])}
    for index, layer in enumerate([*cache.double_block_caches, *cache.single_block_caches]):
        tensors[f"cached.keys.{index}"] = layer.k_ref[0].flatten(1)
        tensors[f"cached.values.{index}"] = layer.v_ref[0].flatten(1)
    return tensors


@torch.no_grad()
def write_flux2_transformers(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the stages of every case, a file each, and return what the tests must know of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        save_file(record(case), folder / f"{case.name}.safetensors")
    return {
        case.name: {"config": case.config, "sigmas": SIGMAS, "guidance": GUIDANCE if case.is_guided else None}
        for case in CASES
    }
