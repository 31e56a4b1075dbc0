"""Writes small random Qwen3 encoders, and what the reference's pipeline for FLUX.2 [klein] takes from each of them.

Each encoder covers what the others leave out; `layers` are the hidden states that are read of it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import torch
from diffusers import Flux2KleinPipeline
from make_checkpoints import randomise
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

LENGTH = 12
PAD = 0


@dataclass(frozen=True)
class Encoder:
    layers: tuple[int, ...]
    config: dict[str, Any]
    dtype: torch.dtype = torch.float16
    has_prefix: bool = True
    """Whether keys begin with "model.", as those of `Qwen3ForCausalLM` do; those of `Qwen3Model` do not."""
    lengths: tuple[int, ...] = (1, 7, LENGTH)
    """Tokens that are no padding, a text for each."""
    seed: int = field(default=0)


ENCODERS = {
    # Head size apart from width / heads; the layers after the last that is read are stored all the same.
    "grouped": Encoder(
        (1, 2, 3),
        {"hidden_size": 20, "intermediate_size": 28, "num_hidden_layers": 5, "num_attention_heads": 6,
         "num_key_value_heads": 2, "head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        seed=1,
    ),
    # An odd number of heads, each with its own keys; biases; the last state that is read is the normed one.
    "odd": Encoder(
        (0, 3, 2),
        {"hidden_size": 15, "intermediate_size": 21, "num_hidden_layers": 3, "num_attention_heads": 5,
         "num_key_value_heads": 5, "head_dim": 6, "attention_bias": True, "rms_norm_eps": 1e-5},
        seed=2,
    ),
    # One head of keys for all; the keys of the bare model.
    "tied": Encoder(
        (1, 2),
        {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 1, "head_dim": 4, "tie_word_embeddings": True, "hidden_act": "gelu_pytorch_tanh"},
        dtype=torch.bfloat16, has_prefix=False, seed=3,
    ),
    # One layer, read alone; a window that is longer than the text.
    "single": Encoder(
        (1,),
        {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 9,
         "num_key_value_heads": 3, "head_dim": 10, "use_sliding_window": True, "sliding_window": 512,
         "max_window_layers": 0},
        dtype=torch.float32, seed=4,
    ),
}  # fmt: skip


class FixedTokens:
    """Stands for a tokenizer: it gives chosen ids."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def apply_chat_template(self, messages: list[dict[str, str]], **options: Any) -> str:
        return messages[0]["content"]

    def __call__(self, text: str, max_length: int, **options: Any) -> dict[str, Tensor]:
        padding = max_length - len(self.ids)
        return {
            "input_ids": torch.tensor([self.ids + [PAD] * padding]),
            "attention_mask": torch.tensor([[1] * len(self.ids) + [0] * padding]),
        }


def prompt_embeds(model: Qwen3ForCausalLM, ids: list[int], layers: tuple[int, ...]) -> Tensor:
    """Give what the pipeline feeds to the transformer for a text of these tokens, [L, layers * C]."""
    with torch.no_grad():
        embeds = Flux2KleinPipeline._get_qwen3_prompt_embeds(
            model, FixedTokens(ids), "", max_sequence_length=LENGTH, hidden_states_layers=list(layers)
        )
    return embeds[0]


def write_encoder(folder: Path, encoder: Encoder) -> Qwen3ForCausalLM:
    """Write an encoder's files and give it as the reference reads it from them."""
    shutil.rmtree(folder, ignore_errors=True)
    model = Qwen3ForCausalLM(Qwen3Config(vocab_size=40, **encoder.config))
    randomise(model, encoder.seed)
    model.to(encoder.dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    if not encoder.has_prefix:
        path = folder / "model.safetensors"
        tensors = {name.removeprefix("model."): value for name, value in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})
    return Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write_qwen3(output: Path) -> None:
    expected: dict[str, Tensor] = {}
    for name, encoder in ENCODERS.items():
        model = write_encoder(output / name, encoder)
        generator = torch.Generator().manual_seed(encoder.seed)
        for length in encoder.lengths:
            ids = torch.randint(1, 40, (length,), generator=generator).tolist()
            expected[f"{name}.{length}.ids"] = torch.tensor(ids + [PAD] * (LENGTH - length))
            expected[f"{name}.{length}.promptEmbeds"] = prompt_embeds(model, ids, encoder.layers).contiguous()
    save_file(expected, output / "expected.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_qwen3(Path(__file__).resolve().parents[2] / "test" / "fixtures" / "qwen3")
