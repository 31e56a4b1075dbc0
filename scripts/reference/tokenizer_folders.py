"""Plain tokenizer folders, of small vocabularies: CLIP's and T5's, each with and without a `tokenizer.json`.

A folder is a dictionary from file names to contents: bytes, or a value that is written as JSON.
"""

from __future__ import annotations

import base64
import functools
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from chat_templates import QWEN3
from vocabularies import train_clip, train_qwen, train_t5

Files = dict[str, Any]
CONFIG, DEFINITION, SPECIALS, ADDED = "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"
CLIP, T5, QWEN = "CLIPTokenizer", "T5TokenizerFast", "Qwen2TokenizerFast"
START, END = "<|startoftext|>", "<|endoftext|>"
# Pieces for characters that the training text lacks, so that they are not all unknown.
MORE_CHARACTERS = "éàüßœπσςωЖдя\u0301\u0308\u0307½⅓①²日本語中文한국ก\u0e33अ\u0915\u094dא\u0627\u0644🙂👩☁\ufe0f\u200d…—’“”"


def added(content: str, **flags: bool) -> dict[str, Any]:
    """Write a token as `added_tokens_decoder` does."""
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {"content": content, **plain, **flags}


@functools.cache
def clip_parts(merge_count: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    return train_clip(merge_count, specials_first=False)


def clip_files(merge_count: int = 200) -> Files:
    vocabulary, merges = clip_parts(merge_count)
    text = "#version: 0.2\n" + "".join(f"{first} {second}\n" for first, second in merges)
    specials = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    config = {"model_max_length": 77, "tokenizer_class": CLIP, "do_lower_case": True, **specials}
    return {"vocab.json": dict(vocabulary), "merges.txt": text.encode(), CONFIG: config, SPECIALS: specials}


def clip_json_files(merge_count: int = 200) -> Files:
    vocabulary, merges = clip_parts(merge_count)
    tokens = [{"id": vocabulary[token], **added(token)} for token in (START, END)]
    model = {"type": "BPE", "dropout": None, "unk_token": END, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
             "fuse_unk": False, "byte_fallback": False, "vocab": dict(vocabulary), "merges": [list(pair) for pair in merges]}  # fmt: skip
    steps = {"truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None, "post_processor": None}
    config = clip_files(merge_count)[CONFIG]
    return {DEFINITION: {"version": "1.0", **steps, "added_tokens": tokens, "decoder": None, "model": model}, CONFIG: config}


@functools.cache
def t5_model(size: int, rules: str) -> bytes:
    model = sentencepiece_model_pb2.ModelProto.FromString(train_t5(size, character_rules=rules == "few"))
    if rules == "nfkc":
        model.normalizer_spec.precompiled_charsmap = nfkc_charsmap()
    present = {piece.piece for piece in model.pieces}
    lowest = min(piece.score for piece in model.pieces)
    for index, character in enumerate(MORE_CHARACTERS):
        if character not in present:
            model.pieces.add(piece=character, score=lowest - (index % 5))
    # Pieces of equal sums: which way wins depends on the order of additions.
    for text, score in (("zq", -7.1), ("qz", -7.1), ("zqz", -10.3), ("z", -3.2), ("q", -3.9), ("qzq", -11.0), ("zz", -6.4)):
        if text not in present:
            model.pieces.add(piece=text, score=score)
    return model.SerializeToString(deterministic=True)


@functools.cache
def nfkc_charsmap() -> bytes:
    """Give the character map of the published T5 (NFKC with white space of its own), which the trainer holds."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a bird on a tree", "a cat in the sea"]), model_writer=model, vocab_size=30,
        hard_vocab_limit=False, normalization_rule_name="nmt_nfkc", num_threads=1, minloglevel=2,
    )  # fmt: skip
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue()).normalizer_spec.precompiled_charsmap


def t5_files(size: int = 400, rules: str = "few") -> Files:
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": 512, "extra_ids": 8, "legacy": True}
    return {"spiece.model": t5_model(size, rules), CONFIG: config}


def t5_json_files(size: int = 400, rules: str = "few") -> Files:
    model = sentencepiece_model_pb2.ModelProto.FromString(t5_model(size, rules))
    pieces = [[piece.piece, piece.score] for piece in model.pieces]
    pieces += [[f"<extra_id_{index}>", 0.0] for index in reversed(range(8))]
    tokens = [{"id": index, **added(token)} for index, token in enumerate(("<pad>", "</s>", "<unk>"))]
    tokens += [{"id": len(pieces) - 1 - index, **added(f"<extra_id_{index}>")} for index in range(8)]
    tokens.sort(key=lambda token: token["id"])
    charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    normalizer = {"type": "Precompiled", "precompiled_charsmap": charsmap} if charsmap else None
    steps = {"truncation": None, "padding": None, "normalizer": normalizer, "pre_tokenizer": None, "post_processor": None}
    unigram = {"type": "Unigram", "unk_id": 2, "vocab": pieces, "byte_fallback": False}
    config = {**t5_files(size, rules)[CONFIG], "additional_special_tokens": [f"<extra_id_{index}>" for index in range(8)]}
    return {DEFINITION: {"version": "1.0", **steps, "added_tokens": tokens, "decoder": None, "model": unigram}, CONFIG: config}


QWEN_END, QWEN_MARKS = "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]
# The published tokens after the vocabulary: special ones, and ones that only have an id.
QWEN_ADDED = {QWEN_END: True, **{mark: True for mark in QWEN_MARKS}, "<tool_call>": False, "</tool_call>": False, "<think>": False, "</think>": False}


def qwen_files(merge_count: int = 200) -> Files:
    vocabulary, merges = train_qwen(merge_count)
    text = "#version: 0.2\n" + "".join(f"{first} {second}\n" for first, second in merges)
    decoder = {str(len(vocabulary) + index): added(token, special=special) for index, (token, special) in enumerate(QWEN_ADDED.items())}
    config = {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": decoder,
              "additional_special_tokens": QWEN_MARKS, "bos_token": None, "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
              "errors": "replace", "model_max_length": 131072, "pad_token": QWEN_END, "split_special_tokens": False, "unk_token": None,
              "chat_template": QWEN3}  # fmt: skip
    return {"vocab.json": dict(vocabulary), "merges.txt": text.encode(), CONFIG: config}


def qwen_json_files(merge_count: int = 200) -> Files:
    vocabulary, merges = train_qwen(merge_count)
    config = qwen_files(merge_count)[CONFIG]
    tokens = [{"id": int(index), **token} for index, token in config["added_tokens_decoder"].items()]
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": dict(vocabulary), "merges": [list(pair) for pair in merges]}  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    steps = {"truncation": None, "padding": None, "normalizer": {"type": "NFC"}, "pre_tokenizer": byte_level, "post_processor": byte_level}
    return {DEFINITION: {"version": "1.0", **steps, "added_tokens": tokens, "decoder": byte_level, "model": model}, CONFIG: config}


BASES: dict[str, tuple[str, Callable[[], Files]]] = {
    "clip-files": (CLIP, clip_files), "clip-json": (CLIP, clip_json_files),
    "t5-model": (T5, t5_files), "t5-json": (T5, t5_json_files),
}  # fmt: skip


@dataclass(frozen=True)
class Folder:
    name: str
    class_name: str
    files: Files


def write_files(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
