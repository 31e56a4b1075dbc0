"""What the reference's pipeline for FLUX.2 [klein] makes of prompts: a text from the chat template, and its ids."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import transformers
from tokenizer_folders import Folder, write_files
from tokenizer_rows import LENGTHS, short_hash


def chat_text(tokenizer: Any, prompt: str) -> str:
    """Do what `_get_qwen3_prompt_embeds` does with a prompt."""
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)


def row(tokenizer: Any, prompt: str) -> str:
    """Give a hash of the text, and one of ids and mask for each length; `refused` where the class raises."""
    try:
        text = chat_text(tokenizer, prompt)
        hashes = [short_hash(list(text.encode()))]
        for length in LENGTHS:
            inputs = tokenizer(text, padding="max_length", truncation=True, max_length=length)
            hashes.append(short_hash([*inputs["input_ids"], sum(inputs["attention_mask"])]))
        return "".join(hashes)
    except Exception:  # noqa: BLE001  (the library raises plain Exception)
        return "refused"


def chat_rows(folder: Folder, prompts: list[str]) -> list[str] | None:
    """Give the rows of all prompts, or None where the class cannot be made from the folder or cannot encode anything."""
    with tempfile.TemporaryDirectory() as place:
        write_files(Path(place) / "tokenizer", folder.files)
        try:
            tokenizer = getattr(transformers, folder.class_name).from_pretrained(os.path.join(place, "tokenizer"))
        except BaseException as error:  # noqa: BLE001  (the library panics)
            if isinstance(error, KeyboardInterrupt):
                raise
            return None
        rows = [row(tokenizer, prompt) for prompt in prompts]
        return None if all(each == "refused" for each in rows) else rows
