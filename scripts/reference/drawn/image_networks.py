"""Draws the transformer, the autoencoder and the scheduler."""

from __future__ import annotations

import inspect
import re
from typing import Any

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxTransformer2DModel
from drawn.draw import Draw
from drawn.placed_files import PREFIXES, placed_files
from drawn.stored import Files, json_file
from drawn.weights import rules_of, shapes_of

Config = dict[str, Any]

DTYPES = ("F32", "F16", "BF16")
OTHER_DTYPES = ("F64", "F8_E4M3")
BASE = {"_diffusers_version": "0.42.1"}


def without_defaults(draw: Draw, component: str, config: Config, defaults: Config) -> Config:
    """Leave out some of the keys whose value is the class's default, and write others as null where that is the same."""
    kept = {}
    for key, value in config.items():
        is_default = key in defaults and defaults[key] == (tuple(value) if isinstance(value, list) else value)
        if not (is_default and draw.rarely(f"{component}.{key}.absent", False, [True])):
            kept[key] = value
    return kept


def draw_dtype(draw: Draw, component: str) -> str:
    return draw.rarely(f"{component}.other_dtype", draw.one_of(f"{component}.dtype", DTYPES), OTHER_DTYPES)


def defaults_of(kind: type) -> Config:
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}


def draw_transformer(draw: Draw, latent_channels: int, prompt_size: int, pooled_size: int) -> tuple[Config, Files]:
    heads = draw.one_of("transformer.num_attention_heads", [2, 1, 3, 5])
    axes = draw.one_of("transformer.axes_dims_rope", [[4, 6, 6], [2, 4, 6], [8, 4, 4], [2, 2, 2], [6, 6, 8], [4, 14, 14]])
    if draw.rarely("transformer.published_heads", False, [True]):
        heads, axes = 1, [16, 56, 56]
    config: Config = {
        "patch_size": 1,
        "in_channels": 4 * latent_channels,
        "out_channels": draw.rarely("transformer.out_channels", None, [4 * latent_channels]),
        "num_layers": draw.one_of("transformer.num_layers", [1, 0, 2]),
        "num_single_layers": draw.one_of("transformer.num_single_layers", [1, 0, 2]),
        "attention_head_dim": sum(axes),
        "num_attention_heads": heads,
        "joint_attention_dim": prompt_size,
        "pooled_projection_dim": pooled_size,
        "guidance_embeds": draw.one_of("transformer.guidance_embeds", [True, False]),
        "axes_dims_rope": axes,
    }
    rules = rules_of(shapes_of(FluxTransformer2DModel, config), draw_dtype(draw, "transformer"))
    written = without_defaults(draw, "transformer", config, defaults_of(FluxTransformer2DModel))
    files = {"transformer/config.json": json_file({"_class_name": "FluxTransformer2DModel", **BASE, **written})}
    return config, files | placed_files(draw, "transformer", rules)


def autoencoder_config(draw: Draw, latent_channels: list[int]) -> Config:
    """Give the fields that the autoencoders of both families have."""
    groups = draw.one_of("vae.norm_num_groups", [2, 1, 3, 4])
    levels = draw.one_of("vae.levels", [3, 1, 2, 4, 5])
    if draw.rarely("vae.published_groups", False, [True]):
        groups = 32
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": blocks(draw, "vae.down_block_types", levels, "DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        "up_block_types": blocks(draw, "vae.up_block_types", levels, "UpDecoderBlock2D", "AttnUpDecoderBlock2D"),
        "block_out_channels": draw_widths(draw, "vae.width", groups, levels),
        "layers_per_block": draw.one_of("vae.layers_per_block", [1, 2]),
        "act_fn": draw.rarely("vae.act_fn", "silu", ["swish", "mish", "gelu", "relu"]),
        "latent_channels": draw.one_of("vae.latent_channels", latent_channels),
        "norm_num_groups": groups,
        "sample_size": draw.one_of("vae.sample_size", [128, 32, 1024]),
        "use_quant_conv": draw.one_of("vae.use_quant_conv", [False, True]),
        "use_post_quant_conv": draw.one_of("vae.use_post_quant_conv", [False, True]),
        "mid_block_add_attention": draw.one_of("vae.mid_block_add_attention", [True, False]),
    }


def draw_widths(draw: Draw, name: str, groups: int, levels: int) -> list[int]:
    return [groups * (draw.within(f"{name}.{level}", 1, 3) if groups < 32 else 1) for level in range(levels)]


def draw_autoencoder(draw: Draw) -> tuple[Config, Files]:
    config: Config = autoencoder_config(draw, [4, 1, 2, 5, 8, 16]) | {
        "scaling_factor": draw.number("vae.scaling_factor", 0.3611, 0.1, 1.0),
        "shift_factor": draw.number("vae.shift_factor", 0.1159, -0.5, 0.5),
        "force_upcast": draw.rarely("vae.force_upcast", True, [False]),
    }
    latent_channels, levels = config["latent_channels"], len(config["block_out_channels"])
    if draw.rarely("vae.latents_mean", False, [True]):
        config |= {"latents_mean": [0.5] * latent_channels, "latents_std": [2.0] * latent_channels}
    shapes = shapes_of(AutoencoderKL, config)
    rules = rules_of(shapes, draw_dtype(draw, "vae"))
    is_single = draw.rarely("vae.single_file", None, PREFIXES["vae"][1]) is not None
    if not is_single and draw.rarely("vae.old_attention_keys", False, [True]):
        rules = {old_attention_key(key): rule for key, rule in rules.items()}
    written = without_defaults(draw, "vae", config, defaults_of(AutoencoderKL))
    files = {"vae/config.json": json_file({"_class_name": "AutoencoderKL", **BASE, **written})}
    return config, files | placed_files(draw, "vae", rules, levels)


def blocks(draw: Draw, name: str, levels: int, usual: str, other: str) -> list[str]:
    """Give the block type of each level; rarely, one of them is of the other type."""
    at = draw.rarely(name, None, range(5))
    return [other if at is not None and at % levels == level else usual for level in range(levels)]


def old_attention_key(key: str) -> str:
    """Give the key of the autoencoder's attention as diffusers wrote it before version 0.18."""
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        key = re.sub(rf"(attentions\.\d+)\.{re.escape(new)}\.", rf"\1.{old}.", key)
    return key


def draw_scheduler(draw: Draw) -> Files:
    spacing = draw.rarely("scheduler.spacing", None, ["karras", "exponential"])
    config: Config = {
        "num_train_timesteps": draw.rarely("scheduler.num_train_timesteps", 1000, [500]),
        "shift": draw.number("scheduler.shift", 3.0, 0.5, 5.0),
        "use_dynamic_shifting": draw.rarely("scheduler.use_dynamic_shifting", True, [False]),
        "base_shift": draw.number("scheduler.base_shift", 0.5, 0.1, 1.0),
        "max_shift": draw.number("scheduler.max_shift", 1.15, 0.5, 2.0),
        "base_image_seq_len": draw.one_of("scheduler.base_image_seq_len", [256, 16, 64]),
        "max_image_seq_len": draw.one_of("scheduler.max_image_seq_len", [4096, 1024, 300]),
        "invert_sigmas": draw.rarely("scheduler.invert_sigmas", False, [True]),
        "shift_terminal": draw.rarely("scheduler.shift_terminal", None, [0.02, 0.2]),
        # Those of a beta distribution need scipy, which the reference's environment does not have.
        "use_karras_sigmas": spacing == "karras",
        "use_exponential_sigmas": spacing == "exponential",
        "use_beta_sigmas": False,
        "time_shift_type": draw.rarely("scheduler.time_shift_type", "exponential", ["linear"]),
        "stochastic_sampling": False,
    }
    written = without_defaults(draw, "scheduler", config, defaults_of(FlowMatchEulerDiscreteScheduler))
    content = json_file({"_class_name": "FlowMatchEulerDiscreteScheduler", **BASE, **written})
    return {"scheduler/scheduler_config.json": content}
