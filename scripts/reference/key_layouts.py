"""Rewrites the text encoders' files to the key layouts that are in circulation.

transformers 5 saves CLIP as `embeddings...`, the published files say `text_model.embeddings...`; T5's embedding is
`shared.weight`, `encoder.embed_tokens.weight` or both, and old CLIP files carry their `position_ids`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save_file

T5Keys = Literal["shared", "embed_tokens", "both"]

SHARED = "shared.weight"
EMBED_TOKENS = "encoder.embed_tokens.weight"


def rewrite_clip_keys(path: Path, prefix: bool, position_ids: bool) -> None:
    """Write CLIP's keys with or without `text_model.`, and with the position ids that old files carry."""
    tensors = {name.removeprefix("text_model."): value for name, value in load_file(path).items()}
    tensors.pop("embeddings.position_ids", None)
    if position_ids:
        length = tensors["embeddings.position_embedding.weight"].shape[0]
        tensors["embeddings.position_ids"] = torch.arange(length)[None]
    if prefix:
        tensors = {f"text_model.{name}": value for name, value in tensors.items()}
    save_file(tensors, path, metadata={"format": "pt"})


def rewrite_t5_keys(path: Path, keys: T5Keys) -> None:
    """Write T5's token embedding under one name, the other, or both."""
    tensors = load_file(path)
    embedding = next(tensors[name] for name in (SHARED, EMBED_TOKENS) if name in tensors)
    tensors.pop(SHARED, None)
    tensors.pop(EMBED_TOKENS, None)
    if keys in ("shared", "both"):
        tensors[SHARED] = embedding
    if keys in ("embed_tokens", "both"):
        tensors[EMBED_TOKENS] = embedding.clone()
    save_file(tensors, path, metadata={"format": "pt"})
