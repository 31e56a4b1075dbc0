"""Draws the two tokenizer folders."""

from __future__ import annotations

import base64
import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from drawn.draw import Draw
from sentencepiece import sentencepiece_model_pb2
from drawn.stored import Files, json_file
from transformers import CLIPTokenizer, T5TokenizerFast
from vocabularies import train_clip, train_t5

START, END = "<|startoftext|>", "<|endoftext|>"
ADDED = {"clip": ["<bluebird>", "red car"], "t5": ["<bluebird>", "red car"]}

# What files in circulation have in place of the class's own parts; transformers rebuilds them.
OTHER_PARTS: dict[str, dict[str, Any]] = {
    "no normalizer": {"normalizer": None},
    "lower-case normalizer": {"normalizer": {"type": "Lowercase"}},
    "stripping normalizer": {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}},
    "whitespace pre-tokenizer": {"pre_tokenizer": {"type": "WhitespaceSplit"}},
    "no post-processor": {"post_processor": None},
}


@functools.cache
def clip_vocabulary(merge_count: int, specials_first: bool) -> tuple[dict[str, int], list[tuple[str, str]]]:
    return train_clip(merge_count, specials_first)


@functools.cache
def t5_model(size: int, character_rules: bool, has_own_piece: bool) -> bytes:
    """Give a `spiece.model`; with a piece of its own, the last one is matched before all others, wherever it stands."""
    model = train_t5(size, character_rules)
    if not has_own_piece:
        return model
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    proto.pieces[-1].type = sentencepiece_model_pb2.ModelProto.SentencePiece.USER_DEFINED
    return proto.SerializeToString(deterministic=True)


@functools.cache
def clip_json(merge_count: int, specials_first: bool) -> str:
    vocabulary, merges = clip_vocabulary(merge_count, specials_first)
    return saved_json(CLIPTokenizer(vocab=vocabulary, merges=merges))


@functools.cache
def t5_json(size: int, character_rules: bool, has_own_piece: bool, extra_ids: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spiece.model").write_bytes(t5_model(size, character_rules, has_own_piece))
        return saved_json(T5TokenizerFast.from_pretrained(folder, extra_ids=extra_ids))


def saved_json(tokenizer: Any) -> str:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        return (Path(folder) / "tokenizer.json").read_text()


def draw_clip_tokenizer(draw: Draw) -> tuple[dict[str, int], Files]:
    """Give the number of tokens, the most that are read and the end's id; and the files."""
    name = "tokenizer"
    length = draw.one_of(f"{name}.model_max_length", [16, 20, 77])
    merge_count = draw.one_of(f"{name}.merges", [60, 40, 90])
    specials_first = draw.rarely(f"{name}.specials_first", False, [True])
    vocabulary, merges = clip_vocabulary(merge_count, specials_first)
    line = draw.rarely(f"{name}.line_end", "\n", ["\r\n"])
    form = draw.one_of(f"{name}.form", ["vocabulary", "both", "tokenizer.json"])
    files: Files = {}
    if form != "tokenizer.json":
        files["vocab.json"] = json_file(vocabulary)
        files["merges.txt"] = {"text": line.join(["#version: 0.2", *(f"{a} {b}" for a, b in merges), ""])}
    if form != "vocabulary":
        files["tokenizer.json"] = {"text": changed_json(draw, name, clip_json(merge_count, specials_first))}
    specials = {"bos_token": START, "eos_token": END, "unk_token": END}
    specials["pad_token"] = draw.rarely(f"{name}.pad_token", END, ["!"])
    config: dict[str, Any] = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, **specials}
    added, other = added_tokens(draw, name, ADDED["clip"], len(vocabulary), config)
    files |= other | settings_files(draw, name, config, specials)
    facts = {"vocabulary": len(vocabulary) + added, "length": length, "end": vocabulary[END]}
    return facts, {f"{name}/{path}": content for path, content in files.items()}


def draw_t5_tokenizer(draw: Draw) -> tuple[dict[str, int], Files]:
    """Give the number of tokens and the most that are read; and the files."""
    name = "tokenizer_2"
    length = draw.one_of(f"{name}.model_max_length", [24, 17, 40])
    kind = (
        draw.one_of(f"{name}.size", [150, 130, 170]),
        draw.one_of(f"{name}.character_rules", [False, True]),
        draw.rarely(f"{name}.own_piece", False, [True]),
    )
    extra_ids = draw.one_of(f"{name}.extra_ids", [0, 4, 100])
    form = draw.one_of(f"{name}.form", ["tokenizer.json", "both", "spiece.model"])
    files: Files = {}
    if form != "spiece.model":
        files["tokenizer.json"] = {"text": changed_json(draw, name, t5_json(*kind, extra_ids))}
    if form != "tokenizer.json":
        files["spiece.model"] = {"bytes": base64.b64encode(t5_model(*kind)).decode()}
    pieces = len(json.loads(t5_json(*kind, 0))["model"]["vocab"])
    specials: dict[str, Any] = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    if draw.rarely(f"{name}.sentinels_listed", True, [False]):
        specials["additional_special_tokens"] = [f"<extra_id_{index}>" for index in range(extra_ids)]
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": length, "extra_ids": extra_ids, **specials}
    added, other = added_tokens(draw, name, ADDED["t5"], pieces + extra_ids, config)
    files |= other | settings_files(draw, name, config, specials)
    # A folder that says nothing of extra ids has the class's own hundred.
    facts = {"vocabulary": pieces + max(extra_ids, 100) + added, "length": length}
    return facts, {f"{name}/{path}": content for path, content in files.items()}


def changed_json(draw: Draw, name: str, text: str) -> str:
    """Give a `tokenizer.json`, rarely with other parts than the class builds."""
    change = draw.rarely(f"{name}.tokenizer_json", None, list(OTHER_PARTS))
    if change is None:
        return text
    return json.dumps(json.loads(text) | OTHER_PARTS[change], ensure_ascii=False)


def added_tokens(draw: Draw, name: str, texts: list[str], first: int, config: dict[str, Any]) -> tuple[int, Files]:
    """Give how many tokens are added behind the vocabulary, and the files that say so; some are added to `config`."""
    place = draw.rarely(f"{name}.added_tokens", None, ["added_tokens.json", "added_tokens_decoder"])
    if place is None:
        return 0, {}
    numbered = {text: first + index for index, text in enumerate(texts)}
    if place == "added_tokens.json":
        return len(texts), {place: json_file(numbered)}
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "special": False}
    flags["normalized"] = draw.one_of(f"{name}.added_normalized", [True, False])
    config[place] = {str(index): {"content": text, **flags} for text, index in numbered.items()}
    return len(texts), {}


def settings_files(draw: Draw, name: str, config: dict[str, Any], specials: dict[str, Any]) -> Files:
    for side in ("padding_side", "truncation_side"):
        config[side] = draw.rarely(f"{name}.{side}", "right", ["left"])
    files = {"tokenizer_config.json": json_file(config), "special_tokens_map.json": json_file(specials)}
    absent = draw.rarely(f"{name}.absent_file", None, ["tokenizer_config.json", "special_tokens_map.json"])
    return {path: content for path, content in files.items() if path != absent}
