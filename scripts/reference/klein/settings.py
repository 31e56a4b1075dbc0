"""The settings of the small random checkpoints of klein; each covers what the others leave out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from checkpoint_settings import autoencoder
from klein.vocabulary import Form

BF16, FP16 = torch.bfloat16, torch.float16


@dataclass(frozen=True)
class KleinSettings:
    seed: int
    index: dict[str, Any]
    """Fields of `model_index.json` beside the components."""
    transformer: dict[str, Any]
    vae: dict[str, Any]
    qwen: dict[str, Any]
    tokenizer: dict[str, Any]
    dtypes: dict[str, torch.dtype]
    """Component folder -> type of its weights in the file."""
    scheduler: dict[str, Any] = field(default_factory=dict)
    saving: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Component folder -> further options of its `save_pretrained`."""
    is_old_config: bool = False
    """Whether the text encoder's configuration has the fields that transformers 4 wrote, as the published one has."""


def tokenizer(merge_count: int, form: Form) -> dict[str, Any]:
    return {"merge_count": merge_count, "form": form}


def all_in(dtype: torch.dtype) -> dict[str, torch.dtype]:
    return dict.fromkeys(("transformer", "vae", "text_encoder"), dtype)


DISTILLED = {"_class_name": "Flux2KleinPipeline", "is_distilled": True}

# Nothing unusual: two blocks of each kind, grouped keys, tied embeddings, bfloat16, every file of the tokenizer.
PLAIN = KleinSettings(
    seed=6000,
    index=DISTILLED,
    transformer={
        "num_layers": 2, "num_single_layers": 2, "num_attention_heads": 2, "attention_head_dim": 8,
        "axes_dims_rope": (2, 2, 2, 2), "in_channels": 16, "joint_attention_dim": 24, "timestep_guidance_channels": 32,
        "guidance_embeds": False,
    },
    vae=autoencoder((2, 4, 4, 4), layers_per_block=1, latent_channels=4, norm_num_groups=2, sample_size=128),
    # A head's size is its own, not the width shared out.
    qwen={"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 28, "num_attention_heads": 2,
          "num_key_value_heads": 1, "head_dim": 8, "tie_word_embeddings": True},
    tokenizer=tokenizer(70, "all files"),
    dtypes=all_in(BF16),
)  # fmt: skip

# Three heads with axes of other sizes, one double block, an unused guidance embedding, three levels with a small
# decoder and no convolutions beside the latents, biases and another base of positions in the text encoder. Undistilled.
ODD = KleinSettings(
    seed=6100,
    index={"_class_name": "Flux2KleinPipeline", "is_distilled": False},
    transformer={
        "num_layers": 1, "num_single_layers": 1, "num_attention_heads": 3, "attention_head_dim": 10,
        "axes_dims_rope": (4, 2, 2, 2), "in_channels": 20, "joint_attention_dim": 24, "timestep_guidance_channels": 16,
        "mlp_ratio": 1.5, "rope_theta": 500, "eps": 1e-5, "guidance_embeds": True,
    },
    vae=autoencoder(
        (3, 3, 6), layers_per_block=2, latent_channels=5, norm_num_groups=3, sample_size=64, batch_norm_eps=0.01,
        decoder_block_out_channels=(3, 6, 3), use_quant_conv=False, use_post_quant_conv=False,
    ),
    qwen={"hidden_size": 8, "intermediate_size": 14, "num_hidden_layers": 29, "num_attention_heads": 3,
          "num_key_value_heads": 3, "head_dim": 4, "attention_bias": True, "rms_norm_eps": 1e-5,
          "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
    tokenizer=tokenizer(40, "one file"),
    dtypes={"transformer": FP16, "vae": BF16, "text_encoder": FP16},
)  # fmt: skip

# No single block, one head, another time shift; an autoencoder of five levels without attention.
DOUBLE_ONLY = KleinSettings(
    seed=6200,
    index=DISTILLED,
    transformer={
        "num_layers": 2, "num_single_layers": 0, "num_attention_heads": 1, "attention_head_dim": 16,
        "axes_dims_rope": (4, 4, 4, 4), "in_channels": 12, "joint_attention_dim": 24, "timestep_guidance_channels": 32,
        "mlp_ratio": 2.0, "guidance_embeds": False,
    },
    vae=autoencoder(
        (2, 2, 2, 2, 4), layers_per_block=1, latent_channels=3, norm_num_groups=2, sample_size=64,
        mid_block_add_attention=False, use_post_quant_conv=False,
    ),
    qwen={"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 28, "num_attention_heads": 4,
          "num_key_value_heads": 2, "head_dim": 2, "tie_word_embeddings": True},
    tokenizer=tokenizer(30, "vocabulary and merges"),
    dtypes=all_in(FP16),
    scheduler={"base_shift": 0.2, "max_shift": 1.9, "shift_terminal": 0.05},
)  # fmt: skip

# In the proportions of the 9B: three times as many single blocks, 36 layers of text encoder with four queries for a key,
# 32 latent channels, shards; the text encoder's file as older releases wrote it. Undistilled, as the 9B's base model is.
NINE = KleinSettings(
    seed=6300,
    index={"_class_name": "Flux2KleinPipeline", "is_distilled": False},
    transformer={
        "num_layers": 1, "num_single_layers": 3, "num_attention_heads": 2, "attention_head_dim": 8,
        "axes_dims_rope": (2, 2, 2, 2), "in_channels": 128, "joint_attention_dim": 24,
        "timestep_guidance_channels": 256, "guidance_embeds": False,
    },
    vae=autoencoder((2, 2, 4, 4), layers_per_block=1, latent_channels=32, norm_num_groups=2, sample_size=1024),
    qwen={"hidden_size": 8, "intermediate_size": 24, "num_hidden_layers": 36, "num_attention_heads": 4,
          "num_key_value_heads": 1, "head_dim": 2, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
    tokenizer=tokenizer(70, "all files"),
    dtypes=all_in(BF16),
    saving={"transformer": {"max_shard_size": "25KB"}},
    is_old_config=True,
)  # fmt: skip

CHECKPOINTS = {"plain": PLAIN, "odd": ODD, "double-only": DOUBLE_ONLY, "nine": NINE}
