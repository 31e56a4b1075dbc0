"""Trains a small byte-level vocabulary and writes it as Qwen2's tokenizer folders.

It is trained from the text of `vocabularies.py`. The published folder has every file of FORMS; folders in
circulation leave some out.
"""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any, Literal

from transformers import Qwen2TokenizerFast
from vocabularies import TEXT, byte_characters, most_frequent_merges, write_json

Form = Literal["all files", "one file", "vocabulary and merges"]

# In Qwen3's manner: the roles of a conversation in its markers, and an empty thought where none is wanted.
CHAT_TEMPLATE = """\
{%- if messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
NOT_SPECIAL = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
ROLES = "user\nassistant\nsystem\n\n\n\n"


def train(merge_count: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Train byte pairs; the most frequent pair wins, and among equals the alphabetically first."""
    splitter = Qwen2TokenizerFast().backend_tokenizer.pre_tokenizer
    counts = collections.Counter(tuple(word) for word, _ in splitter.pre_tokenize_str(ROLES * 4 + TEXT))
    merges = most_frequent_merges(counts, merge_count)
    characters = byte_characters()
    alphabet = [characters[byte] for byte in sorted(characters, key=lambda byte: characters[byte])]
    tokens = [*alphabet, *dict.fromkeys(a + b for a, b in merges)]
    return {token: index for index, token in enumerate(tokens)}, merges


def number_added(first: int) -> dict[str, int]:
    """Give the added tokens their numbers behind the vocabulary."""
    return {token: first + index for index, token in enumerate([*SPECIAL, *NOT_SPECIAL])}


def tokenizer_json(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> dict[str, Any]:
    """Give the content of a `tokenizer.json`."""
    tokenizer = Qwen2TokenizerFast(vocab=vocabulary, merges=merges)
    tokenizer.add_tokens(list(SPECIAL), special_tokens=True)
    tokenizer.add_tokens(list(NOT_SPECIAL))
    return json.loads(tokenizer.backend_tokenizer.to_str())


def write_qwen(folder: Path, merge_count: int, form: Form) -> int:
    """Write a tokenizer folder; gives the number of its tokens."""
    vocabulary, merges = train(merge_count)
    added = number_added(len(vocabulary))
    config = tokenizer_config(added)
    folder.mkdir(parents=True)
    if form != "one file":
        (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
        (folder / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in merges))
    if form == "all files":
        (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
        write_json(folder / "added_tokens.json", added)
        write_json(folder / "special_tokens_map.json", special_tokens())
    else:
        config["chat_template"] = CHAT_TEMPLATE
    if form != "vocabulary and merges":
        content = tokenizer_json(vocabulary, merges)
        (folder / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False))
    write_json(folder / "tokenizer_config.json", config)
    check(folder, added)
    return len(vocabulary) + len(added)


def special_tokens() -> dict[str, Any]:
    return {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": SPECIAL[1:]}


def tokenizer_config(added: dict[str, int]) -> dict[str, Any]:
    """Give the published file's fields."""
    decoder = {
        str(index): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": token in SPECIAL,
        }
        for token, index in added.items()
    }  # fmt: skip
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": decoder,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 131072,
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
        **special_tokens(),
    }


def check(folder: Path, added: dict[str, int]) -> None:
    """Make sure that the library finds every added token under its number."""
    tokenizer = Qwen2TokenizerFast.from_pretrained(folder)
    found = {token: tokenizer.convert_tokens_to_ids(token) for token in added}
    if found != added:
        raise ValueError(f"{folder}: the added tokens are {found}, wanted {added}")
