"""The fields of the configurations of klein's networks, and the values that are tried (`scripts/reference/fields.py`)."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from transformers import Qwen3Config

Values = dict[str, list[Any]]

CLASSES = {"flux2": Flux2Transformer2DModel, "flux2-vae": AutoencoderKLFlux2, "qwen3": Qwen3Config}

BASES: dict[str, dict[str, Any]] = {
    "flux2": {
        "patch_size": 1, "in_channels": 8, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
        "num_attention_heads": 2, "joint_attention_dim": 10, "timestep_guidance_channels": 16,
        "axes_dims_rope": [4, 4, 4, 4], "guidance_embeds": False,
    },
    "flux2-vae": {
        "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [4, 8], "latent_channels": 2, "norm_num_groups": 2, "sample_size": 64,
    },
    "qwen3": {
        "vocab_size": 30, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 4,
    },
}  # fmt: skip

SLIDING, FULL = "sliding_attention", "full_attention"


def tried(general: Values, autoencoder: Values, functions: list[str]) -> dict[str, Values]:
    """Give the values of each network; those of its whole family are given."""
    autoencoder = {name: values for name, values in autoencoder.items() if name not in ONLY_OLD_AUTOENCODER}
    return {
        "flux2": {
            "patch_size": [2, 0, None], "in_channels": [12, None], "out_channels": [8, 2, 12, 0, None],
            "num_layers": [0, 2, None], "num_single_layers": [0, 2, None], "attention_head_dim": [12, 0, None],
            "num_attention_heads": [1, 3, 0, None], "joint_attention_dim": [7, None],
            "timestep_guidance_channels": [256, 17, 2, 1, 0, None], "mlp_ratio": [1.5, 2, 1.3, 0, -1, None],
            "axes_dims_rope": [
                [4, 6, 6], [8, 8], [16], [0, 8, 4, 4], [4, 4, 4, 4, 0], [4, 4, 4, 2, 2], [4, 4, 4, 6], [3, 3, 4, 6],
                [], None,
            ],
            "rope_theta": [500, 10000.0, 1, 0, -5, None], "eps": [1e-2, 0.0, None],
            "guidance_embeds": [True, None, 0, 1],
            "_class_name": ["Another"], "_diffusers_version": ["0.1.0"], "_name_or_path": ["a"], "unknown": [1],
            "quantization_config": [None],
        },
        "flux2-vae": autoencoder | {
            "decoder_block_out_channels": [[4, 4], [6, 10], [4, 8, 8], [8], [], [5, 8], None],
            "batch_norm_eps": [1e-2, 0.0, None], "batch_norm_momentum": [0.5, None],
            "patch_size": [[2, 2], [1, 1], [4, 4], [1, 4], [4, 1], [2], 2, None],
        },
        "qwen3": general | {
            "vocab_size": [40, 29, 0, None], "hidden_size": [12, 9, 0, None], "intermediate_size": [20, None],
            "num_hidden_layers": [2, 4, 1, 0, None], "num_attention_heads": [2, 6, 3, 0, None],
            "num_key_value_heads": [1, 4, 3, 0, None], "head_dim": [6, 3, 0, None],
            "hidden_act": [*functions, None], "max_position_embeddings": [4, 40960, None],
            "initializer_range": [0.5], "rms_norm_eps": [1e-2, 0.0, None], "use_cache": [False],
            "rope_parameters": [
                {"rope_type": "default", "rope_theta": 1e6}, {"rope_theta": 500}, {"rope_type": "default"}, {}, None,
                {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4},
                {"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4}, {"rope_type": "other", "rope_theta": 1e4},
                {"rope_theta": None}, {"rope_theta": 0}, {"type": "default", "rope_theta": 1e6},
                {"rope_type": "default", "rope_theta": 1e6, "partial_rotary_factor": 0.5}, 5,
            ],
            "rope_theta": [1e6, 500, None], "partial_rotary_factor": [0.5, 1.0, None],
            "rope_scaling": [
                {"rope_type": "default"}, {"type": "linear", "factor": 2.0}, {"rope_theta": 1e6}, None, False,
            ],
            "attention_bias": [True, None, 0, 1], "use_sliding_window": [True, None], "sliding_window": [3, 4096, None],
            "max_window_layers": [1, None], "attention_dropout": [0.5, None],
            "layer_types": [
                [FULL] * 3, [FULL] * 2, [FULL, SLIDING, FULL], ["other"] * 3, [], None,
            ],
            "bos_token_id": [3, None], "eos_token_id": [3, [3, 4], None], "pad_token_id": [3, 100, None],
            "is_decoder": [True], "is_encoder_decoder": [True], "return_dict": [None],
        },
    }  # fmt: skip


# Of `AutoencoderKL` alone.
ONLY_OLD_AUTOENCODER = {"scaling_factor", "shift_factor", "latents_mean", "latents_std", "force_upcast"}


def together(autoencoder: list[tuple[str, Any, dict[str, Any]]]) -> dict[str, list[tuple[str, Any, dict[str, Any]]]]:
    """Give what one field allows only beside others."""
    return {
        "flux2": [
            ("patch_size", 2, {"out_channels": 2}), ("out_channels", 12, {"in_channels": 12}),
            ("num_layers", 0, {"num_single_layers": 0}), ("attention_head_dim", 10, {"axes_dims_rope": [2, 4, 2, 2]}),
            ("mlp_ratio", 1.3, {"num_layers": 0}),
        ],
        "flux2-vae": [
            *autoencoder,
            ("block_out_channels", [4, 4], {"decoder_block_out_channels": [2, 6]}),
            ("batch_norm_eps", 0.5, {"use_quant_conv": False}),
        ],
        "qwen3": [
            ("num_key_value_heads", 1, {"num_attention_heads": 3}),
            ("head_dim", None, {"hidden_size": 16}),
            ("use_sliding_window", True, {"sliding_window": 3, "max_window_layers": 1}),
            ("use_sliding_window", True, {"sliding_window": 3, "max_window_layers": 5}),
            ("use_sliding_window", True, {"sliding_window": 4096, "max_window_layers": 0}),
            ("layer_types", [FULL, SLIDING, FULL], {"use_sliding_window": True, "sliding_window": 3}),
            ("layer_types", [FULL] * 3, {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1}),
            ("rope_theta", 1e6, {"rope_parameters": {"rope_type": "default"}}),
            ("rope_theta", 1e6, {"rope_parameters": {"rope_type": "default", "rope_theta": 500}}),
            ("rope_theta", 1e6, {"rope_scaling": {"rope_type": "default"}}),
        ],
    }
