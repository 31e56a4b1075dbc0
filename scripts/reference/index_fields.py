"""Writes what the reference does with every field of `model_index.json`: that of FLUX.1 Kontext, and that of klein.

The fields are the parameters of the pipelines' constructors and what every index has. Each value is tried on a copy of a
small checkpoint, which diffusers then loads by the class that the index names and edits with.
"""

from __future__ import annotations

import inspect
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tools_folder  # noqa: F401  (first)
import quiet  # noqa: F401  (first)
import torch
from diffusers import DiffusionPipeline, Flux2KleinPipeline, FluxKontextPipeline
from klein.checkpoints import KLEIN_ROOT
from made_up import sums
from make_checkpoints import CHECKPOINT_ROOT
from PIL import Image
from torch import Tensor

ABSENT = "(absent)"
Index = dict[str, Any]

GENERAL: dict[str, list[Any]] = {
    "_diffusers_version": ["0.1.0", None, 5, ABSENT], "_name_or_path": ["a", None], "unknown": [1, [None, None]],
}  # fmt: skip
BROKEN = [[], ["diffusers"], "text", 5]


def component(*others: list[Any], is_optional: bool = False) -> list[Any]:
    return [*others, [None, None], None, ABSENT, *([] if is_optional else BROKEN)]


KONTEXT: dict[str, list[Any]] = GENERAL | {
    "_class_name": ["FluxInpaintPipeline", "Flux2KleinPipeline", "Unknown", 5, None, ABSENT],
    "scheduler": component(["diffusers", "EulerDiscreteScheduler"], ["other", "FlowMatchEulerDiscreteScheduler"]),
    "vae": component(["diffusers", "AutoencoderKLFlux2"], ["diffusers", "Unknown"]),
    "transformer": component(["diffusers", "Flux2Transformer2DModel"]),
    "text_encoder": component(["transformers", "CLIPTextModelWithProjection"]),
    "text_encoder_2": component(["transformers", "T5ForConditionalGeneration"]),
    "tokenizer": component(["transformers", "CLIPTokenizerFast"], ["transformers", "T5TokenizerFast"]),
    "tokenizer_2": component(["transformers", "T5Tokenizer"], ["transformers", "CLIPTokenizer"]),
    "image_encoder": component(is_optional=True), "feature_extractor": component(is_optional=True),
}  # fmt: skip
KLEIN: dict[str, list[Any]] = GENERAL | {
    "_class_name": ["Flux2KleinKVPipeline", "Flux2Pipeline", "FluxKontextPipeline", None, ABSENT],
    "is_distilled": [True, None, 0, 1, "", "no", [], ABSENT],
    "scheduler": component(["diffusers", "EulerDiscreteScheduler"], ["other", "FlowMatchEulerDiscreteScheduler"]),
    "vae": component(["diffusers", "AutoencoderKL"]),
    "transformer": component(["diffusers", "FluxTransformer2DModel"]),
    "text_encoder": component(["transformers", "Qwen3Model"], ["transformers", "Qwen2ForCausalLM"]),
    "tokenizer": component(["transformers", "Qwen2Tokenizer"], ["transformers", "CLIPTokenizer"]),
}  # fmt: skip


@dataclass(frozen=True)
class Tried:
    folder: Path
    """The checkpoint whose index is changed."""
    pipeline: type[DiffusionPipeline]
    values: dict[str, list[Any]]
    options: dict[str, Any]
    """Of the call; `index-fields.test.ts` makes the same."""


TRIED = {
    "kontext": Tried(CHECKPOINT_ROOT / "plain", FluxKontextPipeline, KONTEXT, {
        "guidance_scale": 2.5, "max_sequence_length": 24, "max_area": 32 * 32, "_auto_resize": False,
    }),
    "klein": Tried(KLEIN_ROOT / "odd", Flux2KleinPipeline, KLEIN, {"guidance_scale": 4.0, "max_sequence_length": 24}),
}  # fmt: skip


@torch.no_grad()
def edit(folder: Path, options: dict[str, Any]) -> Tensor:
    """Edit by the class that the index names; gives the latents after two steps."""
    pipeline = DiffusionPipeline.from_pretrained(str(folder), dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    taken = inspect.signature(pipeline.__call__).parameters
    kept: list[Tensor] = []

    def keep(_: Any, __: int, ___: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
        kept[:] = [values["latents"]]
        return values

    pipeline(
        prompt="Make the red car blue", image=Image.new("RGB", (64, 64), (200, 80, 40)), width=32, height=32,
        num_inference_steps=2, generator=torch.Generator("cpu").manual_seed(1), callback_on_step_end=keep,
        **{name: value for name, value in options.items() if name in taken},
    )  # fmt: skip
    return kept[0]


def changed(index: Index, field: str, value: Any) -> Index:
    rest = {name: each for name, each in index.items() if name != field}
    return rest if value == ABSENT else rest | {field: value}


def outcome(tried: Tried, index: Index, base: list[float] | None) -> dict[str, Any]:
    """Say what an index does: the sums of the latents where they differ from the base's, or the failure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in tried.folder.iterdir():
            if path.is_dir():
                (folder / path.name).symlink_to(path)
        (folder / "model_index.json").write_text(json.dumps(index))
        try:
            found = sums(edit(folder, tried.options))
        except Exception as error:  # noqa: BLE001  (whatever the reference raises)
            return {"raises": type(error).__name__}
    is_same = base is not None and max(abs(one - other) for one, other in zip(found, base)) <= 1e-5
    return {"same": True} if is_same else {"sums": [round(value, 6) for value in found]}


def index_table(tried: Tried) -> dict[str, Any]:
    untried = set(inspect.signature(tried.pipeline.__init__).parameters) - {"self"} - set(tried.values)
    if untried:
        raise ValueError(f"{tried.pipeline.__name__} has fields without values to try: {', '.join(sorted(untried))}")
    index = json.loads((tried.folder / "model_index.json").read_text())
    base = outcome(tried, index, None)["sums"]
    cases: list[dict[str, Any]] = []
    for field, values in tried.values.items():
        for value in values:
            cases.append({"field": field, "value": value, **outcome(tried, changed(index, field, value), base)})
    return {"sums": base, "cases": cases}


def index_fields() -> dict[str, Any]:
    return {name: index_table(tried) for name, tried in TRIED.items()}
