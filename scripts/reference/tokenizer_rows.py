"""What the reference's classes make of tokenizer folders: ids of many texts, shortened to hashes."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Literal

import transformers
from diffusers.loaders import TextualInversionLoaderMixin
from tokenizer_folders import Folder, write_files

# One that cuts most texts, and one that the pipeline has.
LENGTHS = (12, 512)
CHARACTERS = 8


def ids_of(tokenizer: Any, text: str, length: int) -> list[int]:
    """Do what `_get_clip_prompt_embeds` and `_get_t5_prompt_embeds` do with a text."""
    converted = TextualInversionLoaderMixin().maybe_convert_prompt([text], tokenizer)
    return tokenizer(converted, padding="max_length", max_length=length, truncation=True).input_ids[0]


def short_hash(ids: list[Any]) -> str:
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:CHARACTERS]


def row(tokenizer: Any, text: str) -> str:
    """Give one hash for each length; `refused` where the class raises."""
    try:
        return "".join(short_hash(ids_of(tokenizer, text, length)) for length in LENGTHS)
    except Exception:  # noqa: BLE001  (the library raises plain Exception)
        return "refused"


def is_random(tokenizer: Any) -> bool:
    """Tell whether two added tokens are one text once it is normalised: tokenizers then finds either, by chance."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    texts = [token.content for token in tokenizer.added_tokens_decoder.values() if token.normalized]
    normalized = [text if normalizer is None else normalizer.normalize_str(text) for text in texts]
    return len(set(normalized)) < len(normalized)


def rows_of(folder: Folder, texts: list[str]) -> list[str] | Literal["random"] | None:
    """Give the rows of all texts, or "random" where chance decides them.

    None stands for a folder that the class cannot be made from, or with which it cannot encode anything.
    """
    with tempfile.TemporaryDirectory() as place:
        write_files(Path(place) / "tokenizer", folder.files)
        try:
            tokenizer = getattr(transformers, folder.class_name).from_pretrained(os.path.join(place, "tokenizer"))
        except BaseException as error:  # noqa: BLE001  (the library panics)
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        if is_random(tokenizer):
            return "random"
        rows = [row(tokenizer, text) for text in texts]
        return None if all(each == "refused" for each in rows) else rows
