"""Tables that need no network run: token ids of many texts, time schedules, and the numbers of the noise generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxKontextPipeline
from diffusers.pipelines.flux.pipeline_flux_kontext import calculate_shift, retrieve_timesteps
import tools_folder  # noqa: F401  (first)
from pipeline import text_length
from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

TEXTS = [
    "", " ", "   ", "\n", "a", "A", ".", "!?", "'", "it's", "IT'S they're I'VE we'll he'd I'm", "don't",
    "Exact same bluebird, same angle and posture, now perched on a cloud in outer space",
    "Make the red car blue", "make the red car blue", "MAKE THE RED CAR BLUE", "MaKe ThE rEd CaR bLuE.",
    " leading and trailing ", "repeated    spaces", "tab\tand\nnewline\r\nand more", "a\u00a0b\u3000c\u200bd\u2003e\u2028f",
    "caf\u00e9 na\u00efve \u00c5ngstr\u00f6m", "cafe\u0301 nai\u0308ve", "\u0130stanbul stra\u00dfe \u03a3\u03c2", "ÉCOLE ÄÖÜ",
    "\ufb01ne o\ufb03ce \ufb02ower", "\uff26\uff55\uff4c\uff4c \uff57\uff49\uff44\uff54\uff48\uff01", "\u00bd \u00b2 \u2460 \u2122 \u2026",
    "日本語のテキスト", "中文字符 mixed with English", "한국어", "Привет, мир", "مرحبا", "שלום", "สวัสดี", "नमस्ते",
    "🙂", "a 🐦 on a ☁️", "👩‍👩‍👧‍👦", "🇯🇵🏳️‍🌈",
    "1234567890", "3 buttons, 12 birds", "1,024 * 1.5 = 1536", "a_b-c/d\\e|f", "<b>tag</b> & \"quoted\" `code`", "#hash @at $5 100%",
    "</s>", "a </s> b", "<pad> <unk>", "<unk>", "<extra_id_0> <extra_id_99>", "<|endoftext|>", "a <|endoftext|> b",
    "<|startoftext|><|startoftext|>", "<|ENDOFTEXT|>", "\u2581\u2581 low line \u2581", "word</w> end", "\u0120 \u010a",
    "\x00\x01\x7f", "\ufeffbom", "\ufffd", "e\u0301\u0301\u0301", "x" * 70, "ab " * 40, "Remove the hat. " * 12,
    "Change the background to a sandy beach at sunset, and keep everything else unchanged",
    "cat cat cat cat cat cat cat cat cat cat cat cat cat cat", "the the the the the the the the the the the the the the the",
    "\U0001d400\U0001d401 \U00020000", "..........", "--- ... ---", "\u201cquoted\u201d \u2018single\u2019 \u2014 dash \u2013", "ǆ ŉ ẞ ﷺ",
]  # fmt: skip

TOKEN_COUNTS = [1, 4, 16, 20, 64, 100, 256, 1024, 2310, 4096, 6144, 9216]
STEP_COUNTS = [1, 2, 4, 5, 6, 20, 28, 50]

SMALL_COUNTS = [1, 5, 15, 16, 17, 31, 40]
LARGE_COUNT = 65536
SEEDS = [0, 1, 42, 2**32 - 1, 2**32 + 5, 123456789012]
LARGE_SEED = 7


def token_table(pipeline: FluxKontextPipeline, folder: Path) -> dict[str, Any]:
    """Give the ids of all TEXTS, padded and truncated as the pipeline does it, and whether a text was truncated."""
    clip, t5 = pipeline.tokenizer, pipeline.tokenizer_2
    check_tokenizer_file(t5, folder / "tokenizer_2" / "tokenizer.json")
    return {
        "clip": token_rows(clip, pipeline.tokenizer_max_length),
        "t5": token_rows(t5, text_length(pipeline)),
    }


def token_rows(tokenizer: PreTrainedTokenizerBase, length: int) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for text in TEXTS:
        # These two calls are those of `_get_clip_prompt_embeds` and `_get_t5_prompt_embeds`.
        ids = tokenizer(text, padding="max_length", max_length=length, truncation=True).input_ids
        whole = tokenizer(text, padding="longest").input_ids
        rows.append({"ids": ids, "cut": len(whole) > length})
    return {"length": length, "rows": rows}


def check_tokenizer_file(tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """Make sure that `tokenizer.json`, read as it is, gives the ids of the class; transformers rebuilds the tokenizer."""
    plain = Tokenizer.from_file(str(path))
    for text in TEXTS:
        if plain.encode(text).ids != tokenizer(text).input_ids:
            raise ValueError(f"{path} gives other ids than {type(tokenizer).__name__} for {text!r}")


def schedule_table(scheduler: FlowMatchEulerDiscreteScheduler) -> dict[str, Any]:
    """Give mu and the sigmas (with the final 0) for many numbers of target tokens and steps."""
    names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
    shift = [scheduler.config[name] for name in names]
    rows: list[dict[str, Any]] = []
    for tokens in TOKEN_COUNTS:
        for steps in STEP_COUNTS:
            mu = calculate_shift(tokens, *shift)
            sigmas = numpy.linspace(1.0, 1 / steps, steps)
            retrieve_timesteps(scheduler, steps, "cpu", sigmas=sigmas, mu=mu)
            rows.append({"tokens": tokens, "steps": steps, "mu": mu, "sigmas": scheduler.sigmas.tolist()})
    return {"config": dict(zip(names, shift)), "rows": rows}


def noise_table() -> dict[str, Tensor]:
    """Give `torch.randn` on the CPU for many counts and seeds; for most large ones the beginning and one sum."""
    tensors: dict[str, Tensor] = {}
    for seed in SEEDS:
        for count in SMALL_COUNTS:
            tensors[f"n{count}.seed{seed}"] = torch.randn(count, generator=torch.Generator("cpu").manual_seed(seed))
        large = torch.randn(LARGE_COUNT, generator=torch.Generator("cpu").manual_seed(seed))
        tensors[f"n{LARGE_COUNT}.seed{seed}.first64"] = large[:64].clone()
        # The sum of magnitudes: the numbers themselves cancel, so their sum would be only rounding.
        tensors[f"n{LARGE_COUNT}.seed{seed}.absoluteSum"] = large.double().abs().sum()[None]
    generator = torch.Generator("cpu").manual_seed(LARGE_SEED)
    tensors[f"n{LARGE_COUNT}.seed{LARGE_SEED}"] = torch.randn(LARGE_COUNT, generator=generator)
    return tensors
