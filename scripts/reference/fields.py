"""Writes the table of fields: what the reference does with every field of the networks' configurations.

The names and defaults come from the classes themselves, so a new release of diffusers or transformers with another field
or default changes the table, and a field without values to try ends this script with its name. Every value is tried on
a tiny network with made-up weights (`probes.py`).
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
from diffusers import AutoencoderKL, FluxTransformer2DModel
from klein import fields as klein
from diffusers.models.activations import ACT2CLS as DIFFUSERS_ACTIVATIONS
from probes import probe
from transformers import CLIPTextConfig, T5Config
from transformers.activations import ACT2CLS as TRANSFORMERS_ACTIVATIONS

Values = dict[str, list[Any]]

# Of every network; the values of `TRIED` differ from them.
BASES: dict[str, dict[str, Any]] = {
    "flux": {
        "patch_size": 1, "in_channels": 8, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 12,
        "num_attention_heads": 2, "joint_attention_dim": 10, "pooled_projection_dim": 6, "guidance_embeds": True,
        "axes_dims_rope": [4, 4, 4],
    },
    "vae": {
        "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [4, 8], "latent_channels": 2, "norm_num_groups": 2, "scaling_factor": 0.4,
        "shift_factor": 0.1, "sample_size": 64,
    },
    "clip": {
        "vocab_size": 30, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 8, "bos_token_id": 28, "eos_token_id": 5, "pad_token_id": 0,
    },
    "t5": {
        "vocab_size": 20, "d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2,
        "relative_attention_num_buckets": 8, "relative_attention_max_distance": 6,
        "feed_forward_proj": "gated-gelu",
    },
    **klein.BASES,
}  # fmt: skip

# Block types of either half, beside the usual one; get_down_block and get_up_block know them.
DOWN_TYPES = [
    "AttnDownEncoderBlock2D", "UNetResDownEncoderBlock2D", "UNetResAttnDownEncoderBlock2D", "DownBlock2D", "AttnDownBlock2D",
    "ResnetDownsampleBlock2D", "SkipDownBlock2D", "AttnSkipDownBlock2D", "CrossAttnDownBlock2D",
    "SimpleCrossAttnDownBlock2D", "KDownBlock2D", "KCrossAttnDownBlock2D", "UpDecoderBlock2D",
]  # fmt: skip
UP_TYPES = [
    "AttnUpDecoderBlock2D", "UNetResUpDecoderBlock2D", "UNetResAttnUpDecoderBlock2D", "UpBlock2D", "AttnUpBlock2D",
    "ResnetUpsampleBlock2D", "SkipUpBlock2D", "AttnSkipUpBlock2D", "CrossAttnUpBlock2D", "SimpleCrossAttnUpBlock2D",
    "KUpBlock2D", "KCrossAttnUpBlock2D", "DownEncoderBlock2D",
]  # fmt: skip

# Those that have weights of their own are tried as well.
FUNCTIONS = [*TRANSFORMERS_ACTIVATIONS, "GELU", "swiglu", ""]

# Fields that every configuration of transformers has.
GENERAL: Values = {
    "transformers_version": ["4.0.0", None], "architectures": [["Another"], None], "output_hidden_states": [True, None],
    "return_dict": [None], "dtype": ["bfloat16", None], "chunk_size_feed_forward": [1], "id2label": [{"0": "a"}],
    "label2id": [{"a": 0}], "problem_type": ["regression"], "torch_dtype": ["float16"], "model_type": ["bert", None],
    "tie_word_embeddings": [False, True], "attn_implementation": ["eager"], "output_attentions": [True],
    "initializer_factor": [0.5], "pad_token_id": [3, None], "unknown": [1], "quantization_config": [None],
}  # fmt: skip

TRIED: dict[str, Values] = {
    "flux": {
        "patch_size": [2, 0, None], "in_channels": [12, None], "out_channels": [8, 2, 12, 0, None],
        "num_layers": [0, 2, None], "num_single_layers": [0, 2, None], "attention_head_dim": [16, 0, None],
        "num_attention_heads": [1, 3, 0, None], "joint_attention_dim": [7, None], "pooled_projection_dim": [9, None],
        "guidance_embeds": [False, None, 0, 1],
        "axes_dims_rope": [[2, 4, 6], [0, 6, 6], [4, 4, 4, 8], [6, 6], [3, 3, 6], [4, 4, 6], [], None],
        "_class_name": ["Another"], "_diffusers_version": ["0.1.0"], "_name_or_path": ["a"], "unknown": [1],
        "quantization_config": [None],
    },
    "vae": {
        "in_channels": [1, 4, None], "out_channels": [1, 2, 4, 5, None],
        "down_block_types": [
            *[["DownEncoderBlock2D", name] for name in DOWN_TYPES], ["AttnDownEncoderBlock2D", "DownEncoderBlock2D"],
            ["DownEncoderBlock2D"], ["DownEncoderBlock2D"] * 3, "DownEncoderBlock2D", [], None,
        ],
        "up_block_types": [
            *[[name, "UpDecoderBlock2D"] for name in UP_TYPES], ["UpDecoderBlock2D", "AttnUpDecoderBlock2D"],
            ["UpDecoderBlock2D"], ["UpDecoderBlock2D"] * 3, "UpDecoderBlock2D", [], None,
        ],
        "block_out_channels": [[4, 4], [6, 10], [4, 8, 8], [8], [], [5, 8], None],
        "layers_per_block": [0, 2, None],
        "act_fn": [*DIFFUSERS_ACTIVATIONS, "SiLU", "gelu_new", "quick_gelu", "", None],
        "latent_channels": [3, 0, None], "norm_num_groups": [1, 4, 3, 0, None],
        "sample_size": [32, 1024, [64, 32], [64], 0, None], "scaling_factor": [1.0, -0.5, 0, None],
        "shift_factor": [0, 0.0, -0.25, None], "latents_mean": [[0.5, 0.5]], "latents_std": [[2.0, 2.0]],
        "force_upcast": [False], "use_quant_conv": [False, None, 0, 1], "use_post_quant_conv": [False, None, 0, 1],
        "mid_block_add_attention": [False, None, 0, 1],
        "_class_name": ["Another"], "_diffusers_version": ["0.1.0"], "_name_or_path": ["a"], "unknown": [1],
        "quantization_config": [None],
    },
    "clip": GENERAL | {
        "vocab_size": [40, 29, 0, None], "hidden_size": [12, 9, 0, None], "intermediate_size": [20, None],
        "projection_dim": [3, None], "num_hidden_layers": [2, 0, None], "num_attention_heads": [1, 4, 3, 0, None],
        "max_position_embeddings": [9, 6, None], "hidden_act": [*FUNCTIONS, None], "layer_norm_eps": [1e-2, 0.0, None],
        "attention_dropout": [0.5, None], "initializer_range": [0.5], "bos_token_id": [3, None],
        "eos_token_id": [2, 0, 29, 17, -1, 100, [5], [5, 2], None], "is_encoder_decoder": [True],
        "text_config": [{"num_attention_heads": 4, "model_type": "clip_text_model"}],
        "return_dict": [False, None],
    },
    "t5": GENERAL | {
        "vocab_size": [24, 17, 0, None], "d_model": [12, 0, None], "d_kv": [6, 0, None], "d_ff": [16, 0, None],
        "num_layers": [1, 3, 0, None], "num_decoder_layers": [3, None], "num_heads": [3, 1, 0, None],
        "relative_attention_num_buckets": [4, 6, 9, 16, 3, 2, 0, None],
        "relative_attention_max_distance": [3, 4, 2, 200, 0, None],
        "dropout_rate": [0.5, None], "layer_norm_epsilon": [1e-2, 0.0, None],
        "feed_forward_proj": [
            *TRANSFORMERS_ACTIVATIONS, *[f"gated-{name}" for name in ("gelu", "silu", "relu", "gelu_new", "swish")],
            "gated", "gated-", "gelu-gated", "gated-gelu-new", "swiglu", "", None,
        ],
        "is_encoder_decoder": [False], "use_cache": [False], "eos_token_id": [3, None], "classifier_dropout": [0.5],
        "is_decoder": [True], "dense_act_fn": ["silu", "swish", "swiglu", None], "is_gated_act": [False, None],
        "hidden_size": [12], "num_attention_heads": [3], "num_hidden_layers": [1], "head_dim": [6],
    },
}  # fmt: skip
TRIED |= klein.tried(GENERAL, TRIED["vae"], FUNCTIONS)

# What one field allows only beside others: the field, its value, and the others.
TOGETHER: dict[str, list[tuple[str, Any, dict[str, Any]]]] = {
    "flux": [
        ("patch_size", 2, {"out_channels": 2}), ("out_channels", 12, {"in_channels": 12}),
        ("num_layers", 0, {"num_single_layers": 0}), ("attention_head_dim", 14, {"axes_dims_rope": [2, 6, 6]}),
    ],
    "vae": [
        ("layers_per_block", 0, {"block_out_channels": [4, 4]}),
        ("down_block_types", ["DownEncoderBlock2D"], {"block_out_channels": [4, 4]}),
        ("up_block_types", ["UpDecoderBlock2D"], {"block_out_channels": [4, 4]}),
        ("block_out_channels", [8], {
            "down_block_types": ["AttnDownEncoderBlock2D"], "up_block_types": ["AttnUpDecoderBlock2D"],
        }),
        ("mid_block_add_attention", False, {
            "down_block_types": ["AttnDownEncoderBlock2D"] * 2, "up_block_types": ["AttnUpDecoderBlock2D"] * 2,
        }),
    ],
    "clip": [("num_attention_heads", 3, {"hidden_size": 12})],
    "t5": [
        ("num_heads", 3, {"num_attention_heads": 1}), ("is_gated_act", True, {"feed_forward_proj": "relu"}),
        ("feed_forward_proj", "gated-gelu", {"dense_act_fn": "relu"}),
    ],
}  # fmt: skip
TOGETHER |= klein.together(TOGETHER["vae"])

CLASSES: dict[str, Any] = {
    "flux": FluxTransformer2DModel, "vae": AutoencoderKL, "clip": CLIPTextConfig, "t5": T5Config, **klein.CLASSES,
}  # fmt: skip

# Largest relative difference of two outputs that count as the same.
SAME = 1e-6


def defaults(network: str) -> dict[str, Any]:
    """Give the fields of a network's class with their defaults."""
    kind = CLASSES[network]
    if not dataclasses.is_dataclass(kind):
        items = inspect.signature(kind.__init__).parameters.items()
        return {name: item.default for name, item in items if name != "self"}
    fields = dataclasses.fields(kind)
    return {field.name: None if field.default is dataclasses.MISSING else field.default for field in fields}


def outcome(network: str, fields: dict[str, Any], base: list[float]) -> dict[str, Any]:
    """Say what a configuration does: the sums of its output where they differ from the base's, or the failure."""
    try:
        found = probe(network, fields)
    except Exception as error:  # noqa: BLE001  (whatever the reference raises)
        return {"raises": type(error).__name__}
    largest = max(abs(one - other) for one, other in zip(found, base))
    return {"same": True} if largest <= SAME * max(map(abs, base)) else {"sums": [round(value, 7) for value in found]}


def network_table(network: str) -> dict[str, Any]:
    known, tried, fields = defaults(network), TRIED[network], BASES[network]
    untried = [name for name in known if name not in tried]
    if untried:
        raise ValueError(f"{network} has fields without values to try: {', '.join(untried)}")
    base = probe(network, fields)
    return {
        "defaults": known,
        "base": fields,
        "sums": [round(value, 7) for value in base],
        "cases": [
            {"field": name, "value": value, **outcome(network, fields | {name: value}, base)}
            for name, values in tried.items()
            for value in values
        ] + [
            {"field": name, "value": value, "also": also, **outcome(network, fields | also | {name: value}, base)}
            for name, value, also in TOGETHER[network]
        ],
    }


def fields_table() -> dict[str, Any]:
    return {network: network_table(network) for network in BASES}


if __name__ == "__main__":
    print(json.dumps(fields_table(), indent=1))
