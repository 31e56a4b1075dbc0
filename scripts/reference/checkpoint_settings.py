"""The settings of the small random checkpoints; each covers what the others leave out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from key_layouts import T5Keys


@dataclass(frozen=True)
class CheckpointSettings:
    seed: int
    transformer: dict[str, Any]
    vae: dict[str, Any]
    clip: dict[str, Any]
    t5: dict[str, Any]
    scheduler: dict[str, Any]
    clip_tokenizer: dict[str, Any]
    t5_tokenizer: dict[str, Any]
    clip_keys: dict[str, bool]
    t5_keys: T5Keys
    dtypes: dict[str, torch.dtype] = field(default_factory=dict)
    """Component folder -> type of its weights in the file; float32 where it is not named."""
    saving: dict[str, Any] = field(default_factory=dict)
    """Further options of the transformer's `save_pretrained`."""


def autoencoder(widths: tuple[int, ...], **options: Any) -> dict[str, Any]:
    return {
        "block_out_channels": widths,
        "down_block_types": ("DownEncoderBlock2D",) * len(widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(widths),
        **options,
    }


# The numbers of the published scheduler.
SCHEDULER = {"base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}

# Nothing unusual: float32, the published vocabulary layout, the old rule for CLIP's end token.
PLAIN = CheckpointSettings(
    seed=1000,
    transformer={
        "num_layers": 2, "num_single_layers": 2, "num_attention_heads": 2, "attention_head_dim": 12,
        "axes_dims_rope": (4, 4, 4), "in_channels": 16, "joint_attention_dim": 24, "pooled_projection_dim": 16,
        "guidance_embeds": True,
    },
    vae=autoencoder(
        (4, 8, 8, 12), layers_per_block=1, latent_channels=4, norm_num_groups=2, sample_size=128, scaling_factor=0.3611,
        shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=True,
    ),
    # End token 2 means the old rule: the position of the highest id.
    clip={"hidden_size": 16, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 2,
          "hidden_act": "quick_gelu", "eos_token_id": 2},
    t5={"d_model": 24, "d_kv": 12, "num_heads": 2, "d_ff": 40, "num_layers": 2, "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128},
    scheduler=SCHEDULER,
    clip_tokenizer={"max_length": 16, "merge_count": 60, "specials_first": False, "with_json": False},
    t5_tokenizer={"max_length": 24, "size": 150, "character_rules": False, "extra_ids": 0},
    clip_keys={"prefix": True, "position_ids": False},
    t5_keys="shared",
)  # fmt: skip

# Every size and switch differs from the plain one: three levels, quant convs, no guidance, bfloat16, ReLU, plain GELU.
ODD = CheckpointSettings(
    seed=2000,
    transformer={
        "num_layers": 1, "num_single_layers": 3, "num_attention_heads": 3, "attention_head_dim": 12,
        "axes_dims_rope": (2, 4, 6), "in_channels": 20, "joint_attention_dim": 20, "pooled_projection_dim": 24,
        "guidance_embeds": False,
    },
    vae=autoencoder(
        (6, 6, 12), layers_per_block=2, latent_channels=5, norm_num_groups=3, sample_size=64, scaling_factor=0.18215,
        shift_factor=-0.25, use_quant_conv=True, use_post_quant_conv=True, mid_block_add_attention=False,
    ),
    # The end token has a low id other than 2, so its first position counts.
    clip={"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 3,
          "hidden_act": "gelu"},
    t5={"d_model": 20, "d_kv": 6, "num_heads": 5, "d_ff": 36, "num_layers": 3, "feed_forward_proj": "relu",
        "relative_attention_num_buckets": 8, "relative_attention_max_distance": 12},
    scheduler=SCHEDULER,
    clip_tokenizer={"max_length": 20, "merge_count": 90, "specials_first": True, "with_json": True},
    t5_tokenizer={"max_length": 17, "size": 170, "character_rules": True, "extra_ids": 4},
    clip_keys={"prefix": True, "position_ids": True},
    t5_keys="both",
    dtypes={"transformer": torch.bfloat16},
)  # fmt: skip

# Float16 files, a transformer in several shards, unprefixed CLIP keys, an autoencoder without a shift.
SHARDED = CheckpointSettings(
    seed=3000,
    transformer={
        "num_layers": 2, "num_single_layers": 1, "num_attention_heads": 4, "attention_head_dim": 8,
        "axes_dims_rope": (4, 2, 2), "in_channels": 32, "joint_attention_dim": 32, "pooled_projection_dim": 12,
        "guidance_embeds": True,
    },
    vae=autoencoder(
        (4, 4, 8, 16), layers_per_block=1, latent_channels=8, norm_num_groups=2, sample_size=128, scaling_factor=0.4,
        shift_factor=None, use_quant_conv=False, use_post_quant_conv=True, mid_block_add_attention=True,
    ),
    clip={"hidden_size": 12, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 1,
          "hidden_act": "quick_gelu"},
    t5={"d_model": 32, "d_kv": 8, "num_heads": 4, "d_ff": 24, "num_layers": 2, "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 16, "relative_attention_max_distance": 20},
    scheduler=SCHEDULER,
    clip_tokenizer={"max_length": 18, "merge_count": 40, "specials_first": False, "with_json": False},
    t5_tokenizer={"max_length": 24, "size": 130, "character_rules": True, "extra_ids": 0},
    clip_keys={"prefix": False, "position_ids": False},
    t5_keys="embed_tokens",
    dtypes={name: torch.float16 for name in ("transformer", "vae", "text_encoder", "text_encoder_2")},
    saving={"max_shard_size": "80KB"},
)  # fmt: skip

# Another time shift, one block of each kind, a single attention head, a 16-channel autoencoder as the published one.
SHIFTED = CheckpointSettings(
    seed=4000,
    transformer={
        "num_layers": 1, "num_single_layers": 1, "num_attention_heads": 1, "attention_head_dim": 32,
        "axes_dims_rope": (8, 12, 12), "in_channels": 64, "joint_attention_dim": 16, "pooled_projection_dim": 16,
        "guidance_embeds": True,
    },
    vae=autoencoder(
        (8, 8, 8, 8), layers_per_block=1, latent_channels=16, norm_num_groups=4, sample_size=96, scaling_factor=0.3611,
        shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False, mid_block_add_attention=True,
    ),
    clip={"hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "hidden_act": "quick_gelu", "eos_token_id": 2},
    t5={"d_model": 16, "d_kv": 4, "num_heads": 4, "d_ff": 32, "num_layers": 2, "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128},
    scheduler={"base_shift": 0.2, "max_shift": 1.9, "base_image_seq_len": 16, "max_image_seq_len": 1024},
    clip_tokenizer={"max_length": 16, "merge_count": 50, "specials_first": False, "with_json": False},
    t5_tokenizer={"max_length": 40, "size": 150, "character_rules": False, "extra_ids": 0},
    clip_keys={"prefix": True, "position_ids": False},
    t5_keys="shared",
)  # fmt: skip

CHECKPOINTS = {"plain": PLAIN, "odd": ODD, "sharded": SHARDED, "shifted": SHIFTED}
