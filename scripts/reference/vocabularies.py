"""Trains small CLIP and T5 vocabularies and writes them as tokenizer folders.

Both are trained from the text below, which belongs to this repository. The folders have the files of the
published checkpoint: `vocab.json` and `merges.txt` for CLIP, `tokenizer.json` (and `spiece.model`) for T5.
"""

from __future__ import annotations

import collections
import functools
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import CLIPTokenizer, T5TokenizerFast

TEXT = """
Exact same bluebird, same angle and posture, now perched on a cloud in outer space.
Change the background to a sandy beach at sunset. Make the red car blue and keep everything else unchanged.
Remove the hat from the dog. Add a yellow balloon above the house. Replace the apple with an orange.
Turn the picture into a watercolor painting. Make it look like a pencil drawing with soft shadows.
The same woman, now wearing a green coat, stands in front of the tall building. It's raining; they're walking.
Put the cat on the wooden table beside a white cup. Keep the pose, the light and the colours.
Show the bird in a forest during winter, with snow falling. Give the robot a purple scarf and 3 buttons.
A cloud, a tree, a flower, a mountain, a river, a star, the moon, the sky, the sea and the sun.
""".strip()

# A few rules in the manner of the published T5 vocabulary (NFKC and whitespace), so that the character map
# of the sentencepiece format is exercised without its 240 KB: source code points, tab, target code points.
CHARACTER_RULES = [
    ("\u00a0", " "), ("\u3000", " "), ("\t", " "), ("\n", " "), ("\r", " "), ("\u200b", " "),
    ("\ufb00", "ff"), ("\ufb01", "fi"), ("\ufb02", "fl"), ("\u2026", "..."), ("\u00bd", "1\u20442"), ("\u2460", "1"),
    ("e\u0301", "\u00e9"), ("a\u0308", "\u00e4"), ("\u212b", "\u00c5"), ("\u00b2", "2"), ("\u2122", "TM"),
    *((chr(0xFEE0 + code), chr(code)) for code in range(0x21, 0x7F)),
]  # fmt: skip

# CLIP's way to split words, for lower-case ASCII (its own covers any letter and any digit).
CLIP_PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def byte_characters() -> dict[int, str]:
    """Map each byte to the printable character that stands for it in a byte-level vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


# Qwen's way to split words, for this text and the one below.
QWEN_PATTERN = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\r\n\w]?[^\W\d_]+|\d| ?[^\s\w]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
# So that merges join the bytes of characters, and characters of other scripts.
QWEN_TEXT = TEXT + """
D\u00e9j\u00e0 vu \u00e0 l'\u00e9t\u00e9, na\u00efve caf\u00e9s. \u0411\u0435\u043b\u0430\u044f \u043f\u0442\u0438\u0446\u0430 \u043d\u0430 \u0431\u0435\u043b\u043e\u043c \u043e\u0431\u043b\u0430\u043a\u0435. \u4e00\u53ea\u84dd\u9e1f\u5728\u4e91\u4e0a\u3002\u65e5\u672c\u306e\u5c71\u3068\u5ddd\u3002 \ud55c\uad6d\uc5b4 \u0643\u062a\u0627\u0628
    if (x == 1) {\n\n        return  "a";\r\n    } // ...  --- 2026-01-30 \U0001f642\U0001f642
"""


@functools.cache
def train_qwen(merge_count: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Train a byte-level vocabulary as `train_clip` does, with letters as they are and spaces before words."""
    characters = byte_characters()
    counts = collections.Counter(tuple(characters[byte] for byte in word.encode()) for word in QWEN_PATTERN.findall(QWEN_TEXT))
    merges = most_frequent_merges(counts, merge_count)
    tokens = [*(characters[byte] for byte in range(256)), *(first + second for first, second in merges)]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}, merges


def train_clip(merge_count: int, specials_first: bool) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Train a byte-pair vocabulary; the most frequent pair wins, and among equals the alphabetically first."""
    characters = byte_characters()
    counts: collections.Counter[tuple[str, ...]] = collections.Counter()
    for word in CLIP_PATTERN.findall(TEXT.lower()):
        letters = [characters[byte] for byte in word.encode()]
        counts[(*letters[:-1], letters[-1] + "</w>")] += 1
    merges = most_frequent_merges(counts, merge_count)
    specials = ["<|startoftext|>", "<|endoftext|>"]
    alphabet = [characters[byte] for byte in sorted(characters, key=lambda byte: characters[byte])]
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet), *dict.fromkeys(a + b for a, b in merges)]
    tokens = [*specials, *tokens] if specials_first else [*tokens, *specials]
    return {token: index for index, token in enumerate(tokens)}, merges


def most_frequent_merges(words: collections.Counter[tuple[str, ...]], merge_count: int) -> list[tuple[str, str]]:
    """Find the pairs to join, one after the other: the most frequent one, and among equals the alphabetically first."""
    merges: list[tuple[str, str]] = []
    for _ in range(merge_count):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = collections.Counter({merge(word, best): count for word, count in words.items()})
    return merges


def merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join every occurrence of a pair, from the left."""
    joined: list[str] = []
    for part in word:
        if joined and (joined[-1], part) == pair:
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


def write_clip(folder: Path, max_length: int, merge_count: int, specials_first: bool, with_json: bool) -> CLIPTokenizer:
    """Write a CLIP tokenizer folder; `with_json` adds a `tokenizer.json` beside `vocab.json` and `merges.txt`."""
    vocabulary, merges = train_clip(merge_count, specials_first)
    folder.mkdir(parents=True)
    if with_json:
        CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=max_length).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    specials = {"bos_token": "<|startoftext|>", **dict.fromkeys(["eos_token", "pad_token", "unk_token"], "<|endoftext|>")}
    write_json(folder / "special_tokens_map.json", specials)
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": max_length, "do_lower_case": True, **specials}
    write_json(folder / "tokenizer_config.json", config)
    return CLIPTokenizer.from_pretrained(folder)


def write_t5(folder: Path, max_length: int, size: int, character_rules: bool, extra_ids: int) -> T5TokenizerFast:
    """Write a T5 tokenizer folder; with `character_rules` it has a character map and keeps `spiece.model`."""
    model = train_t5(size, character_rules)
    folder.mkdir(parents=True)
    (folder / "spiece.model").write_bytes(model)
    tokenizer = T5TokenizerFast.from_pretrained(folder, extra_ids=extra_ids, model_max_length=max_length)
    tokenizer.save_pretrained(folder)
    if not character_rules:
        (folder / "spiece.model").unlink()
    sentinels = [f"<extra_id_{index}>" for index in range(extra_ids)]
    specials = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "additional_special_tokens": sentinels}
    write_json(folder / "special_tokens_map.json", specials)
    config = {"tokenizer_class": "T5Tokenizer", "model_max_length": max_length, "extra_ids": extra_ids, **specials}
    write_json(folder / "tokenizer_config.json", config)
    return T5TokenizerFast.from_pretrained(folder)


def train_t5(size: int, character_rules: bool) -> bytes:
    """Train a unigram vocabulary of about `size` pieces on one thread, so that it is the same each time."""
    model = io.BytesIO()
    options: dict[str, Any] = {"normalization_rule_name": "identity"}
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        if character_rules:
            for source, target in CHARACTER_RULES:
                rules.write(f"{code_points(source)}\t{code_points(target)}\n")
            rules.flush()
            options = {"normalization_rule_tsv": rules.name}
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXT.splitlines()), model_writer=model, vocab_size=size, hard_vocab_limit=False,
            model_type="unigram", num_threads=1, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, **options,
        )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    proto.normalizer_spec.normalization_rule_tsv = ""  # the temporary file's name
    return proto.SerializeToString(deterministic=True)


def code_points(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
