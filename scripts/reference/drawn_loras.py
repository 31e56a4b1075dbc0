"""Draws random LoRAs of the checkpoint `plain`, and writes what diffusers and peft make of each edit's.

Every dialect, rank, alpha, pattern, type and scale may occur. `test/lora/compare-drawn.ts` compares our own
networks with the result.

Usage: python scripts/reference/drawn_loras.py FOLDER SEED COUNT
"""

from __future__ import annotations

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
import tools_folder  # noqa: F401  (first)
from loras import Tensors, patch_converters
from peft import LoraConfig, PeftModel
from pipeline import load_pipeline
from safetensors.torch import load_file, save_file
from single_files import first_velocity, original_transformer

FIXTURES = Path(__file__).resolve().parents[2] / "test" / "fixtures"
GUIDANCE = 2.5
DTYPES = [torch.float32, torch.float32, torch.bfloat16, torch.float16, torch.float64]
ALPHA_DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.int64]


class Draw:
    """One file: its tensors, metadata, and what lies beside it."""

    def __init__(self, seed: int, model: Tensors, original: Tensors, text: Tensors) -> None:
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.model, self.original, self.text = model, original, text
        self.tensors: Tensors = {}
        self.metadata: dict[str, str] = {}
        self.config: dict[str, Any] | None = None
        self.same = self.random.random() < 0.6
        self.dtype = self.random.choice(DTYPES)
        self.rank = self.random.choice([1, 2, 3, 4, 8])
        self.own_ranks = self.random.random() < 0.4

    def pick_rank(self) -> int:
        return self.random.choice([1, 2, 3, 4, 5, 8]) if self.own_ranks else self.rank

    def pick_dtype(self) -> torch.dtype:
        return self.dtype if self.same else self.random.choice(DTYPES)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pair(self, name: str, shape: torch.Size, ends: tuple[str, str], rank: int) -> None:
        rows, columns = shape
        down = torch.randn(rank, columns, generator=self.generator) * columns**-0.5
        up = torch.randn(rows, rank, generator=self.generator) * 0.2
        self.tensors[f"{name}{ends[0]}"] = down.to(self.pick_dtype())
        self.tensors[f"{name}{ends[1]}"] = up.to(self.pick_dtype())

    def alpha(self, name: str, dtype: torch.dtype | None = None) -> None:
        value = self.random.choice([1, 2, 3, 4, 5, 6, 8, 16])
        shape = self.random.choice([(), (1,)])
        self.tensors[f"{name}.alpha"] = torch.full(shape, value, dtype=dtype or self.random.choice(ALPHA_DTYPES))

    def some(self, names: list[str], share: float | None = None) -> list[str]:
        share = share or self.random.choice([0.1, 0.4, 1.0])
        chosen = [name for name in names if self.chance(share)]
        return chosen or [self.random.choice(names)]


def matrices(tensors: Tensors) -> list[str]:
    return [key.removesuffix(".weight") for key, value in tensors.items() if value.ndim == 2]


def text_layers(draw: Draw) -> list[str]:
    return [name for name in matrices(draw.text) if "self_attn" in name or "mlp" in name]


def draw_peft(draw: Draw) -> None:
    """diffusers' own: with alphas, or a configuration, or neither; DoRA, biases, norms, narrow matrices, old names."""
    names = draw.some(matrices(draw.model))
    kind = draw.random.choice(["none", "alphas", "config", "config", "dora", "dora-config", "bias", "norms", "old"])
    magnitudes = "dora" in kind
    ends = (".lora.down.weight", ".lora.up.weight") if kind == "old" else (".lora_A.weight", ".lora_B.weight")
    ranks: dict[str, int] = {}
    for name in names:
        shape = draw.model[f"{name}.weight"].shape
        if draw.chance(0.05) and not magnitudes:
            shape = torch.Size([shape[0], max(1, shape[1] - draw.random.randint(1, 3))])
        ranks[name] = draw.pick_rank()
        draw.pair(f"transformer.{name}", shape, ends, ranks[name])
        if magnitudes:
            lengths = draw.model[f"{name}.weight"].norm(dim=1) * (1 + 0.3 * torch.randn(shape[0], generator=draw.generator))
            draw.tensors[f"transformer.{name}.lora_magnitude_vector"] = lengths.to(draw.pick_dtype())
        if kind == "bias":
            draw.tensors[f"transformer.{name}.lora_B.bias"] = torch.randn(shape[0], generator=draw.generator) * 0.1
        if kind == "alphas" and draw.chance(0.8):
            draw.alpha(f"transformer.{name}", draw.random.choice(ALPHA_DTYPES[:4]))
    if kind == "norms":
        norms = [key for key in draw.model if ".norm_" in key and draw.model[key].ndim == 1 and "attn" in key]
        for key in draw.some(norms):
            draw.tensors[f"transformer.{key}"] = draw.model[key] * 1.3
    if "config" in kind:
        write_config(draw, "transformer.", ranks, magnitudes)
    elif kind in {"none", "alphas"} and draw.chance(0.5):
        chosen = draw.some(text_layers(draw))
        if not any(name.endswith("_proj") for name in chosen):
            chosen.append(text_layers(draw)[0])
        for name in chosen:
            prefix = draw.random.choice(["text_encoder.text_model.", "text_encoder."]) if kind == "none" else "text_encoder."
            draw.pair(f"{prefix}{name}", draw.text[f"{name}.weight"].shape, ends, draw.pick_rank())


def write_config(draw: Draw, prefix: str, ranks: dict[str, int], dora: bool) -> None:
    common = max(set(ranks.values()), key=list(ranks.values()).count)
    config: dict[str, Any] = {
        "r": common, "lora_alpha": draw.random.choice([1, 2, 6, 8.5, 16]), "target_modules": list(ranks),
        "rank_pattern": {f"^{name}": rank for name, rank in ranks.items() if rank != common},
        "use_rslora": draw.chance(0.3), "use_dora": dora,
    }  # fmt: skip
    patterns: dict[str, float] = {}
    for _ in range(draw.random.choice([0, 1, 2, 4])):
        name = draw.random.choice(list(ranks))
        tail = name.split(".")[-draw.random.choice([1, 2, 3]):]
        pattern = draw.random.choice([
            ".".join(tail), name, f"^{name}", r".*attn\.to_[qk]", r"transformer_blocks\.\d+\.attn\.to_q", "proj_(out|mlp)",
        ])  # fmt: skip
        patterns[pattern] = draw.random.choice([1, 3, 5, 12])
    config["alpha_pattern"] = patterns
    draw.metadata["lora_adapter_metadata"] = json.dumps({f"{prefix}{key}": value for key, value in config.items()})


def draw_kohya(draw: Draw, comfy: bool = False) -> None:
    names = [key for key in matrices(draw.original) if "_blocks." in key]
    for key in draw.some(names):
        name = f"diffusion_model.{key}" if comfy else f"lora_unet_{key.replace('.', '_')}"
        draw.pair(name, draw.original[f"{key}.weight"].shape, (".lora_down.weight", ".lora_up.weight"), draw.pick_rank())
        if draw.chance(0.9):
            draw.alpha(name)
    if draw.chance(0.6):
        chosen = draw.some(text_layers(draw))
        chosen += [name for name in text_layers(draw) if name.endswith("out_proj")][:1]
        for key in set(chosen):
            plain = f"text_model_{key.replace('.', '_')}"
            name = f"text_encoders.clip_l.transformer.text_model.{key}" if comfy else f"{draw.random.choice(['lora_te1_', 'lora_te_'])}{plain}"
            draw.pair(name, draw.text[f"{key}.weight"].shape, (".lora_down.weight", ".lora_up.weight"), draw.pick_rank())
            if draw.chance(0.9):
                draw.alpha(name)


def draw_comfy(draw: Draw) -> None:
    draw_kohya(draw, comfy=True)


def draw_mixture(draw: Draw) -> None:
    """sd-scripts' naming of diffusers' layers: attention, and what is outside the blocks; the rest fails there."""
    names = [
        name for name in matrices(draw.model)
        if ".attn." in name or name in {"context_embedder", "x_embedder", "proj_out", "norm_out.linear"} or "_embedder.linear" in name
    ]  # fmt: skip
    for key in draw.some(names):
        name = f"lora_transformer_{key.replace('.', '_')}"
        draw.pair(name, draw.model[f"{key}.weight"].shape, (".lora_down.weight", ".lora_up.weight"), draw.pick_rank())
        draw.alpha(name)
    if draw.chance(0.5):
        for key in text_layers(draw):
            name = f"lora_te1_text_model_{key.replace('.', '_')}"
            draw.pair(name, draw.text[f"{key}.weight"].shape, (".lora_down.weight", ".lora_up.weight"), draw.pick_rank())
            draw.alpha(name)


def draw_transformer_down(draw: Draw) -> None:
    """diffusers' naming with sd-scripts' suffixes: alphas have no effect."""
    for name in draw.some(matrices(draw.model)):
        draw.pair(f"transformer.{name}", draw.model[f"{name}.weight"].shape, (".lora_down.weight", ".lora_up.weight"), draw.pick_rank())
        if draw.chance(0.7):
            draw.alpha(f"transformer.{name}")


def draw_xlabs(draw: Draw) -> None:
    layers = {
        "img_attn.qkv": "qkv_lora1", "img_attn.proj": "proj_lora1", "txt_attn.qkv": "qkv_lora2",
        "txt_attn.proj": "proj_lora2", "linear1": "qkv_lora", "linear2": "proj_lora",
    }  # fmt: skip
    prefix = draw.random.choice(["", "diffusion_model."])
    for key in draw.some(matrices(draw.original)):
        block, _, rest = key.partition("_blocks.")
        index, _, layer = rest.partition(".")
        if layer not in layers:
            continue
        shape = draw.original[f"{key}.weight"].shape
        shape = torch.Size([3 * shape[1], shape[1]]) if layer == "linear1" else shape
        name = f"{prefix}{block}_blocks.{index}.processor.{layers[layer]}"
        draw.pair(name, shape, (".down.weight", ".up.weight"), draw.pick_rank())
    if not draw.tensors:
        shape = draw.original["double_blocks.0.img_attn.proj.weight"].shape
        draw.pair("double_blocks.0.processor.proj_lora1", shape, (".down.weight", ".up.weight"), draw.pick_rank())


def draw_bfl(draw: Draw) -> None:
    """Black Forest Labs' own, which have every layer, biases and norms."""
    bias = draw.chance(0.7)
    for key, value in draw.original.items():
        name = key.removesuffix(".weight")
        if value.ndim == 2:
            rank = draw.pick_rank()
            if name == "final_layer.adaLN_modulation.1":
                rank = max(2, rank)
            draw.pair(name, value.shape, (".lora_A.weight", ".lora_B.weight"), rank)
            if bias:
                draw.tensors[f"{name}.lora_B.bias"] = torch.randn(value.shape[0], generator=draw.generator) * 0.1
        elif key.endswith("_norm.scale"):
            draw.tensors[key] = value * 1.2


def draw_fal(draw: Draw) -> None:
    for key, value in draw.original.items():
        name = key.removesuffix(".weight")
        if value.ndim == 2 and ("_blocks." in key or key.startswith("final_layer.linear.")):
            draw.pair(f"base_model.model.{name}", value.shape, (".lora_A.weight", ".lora_B.weight"), draw.pick_rank())


def draw_folder(draw: Draw) -> None:
    """peft's own folder, which diffusers does not read: the configuration lies beside."""
    names = draw.some(matrices(draw.model))
    ranks = {name: draw.pick_rank() for name in names}
    dora = draw.chance(0.4)
    for name, rank in ranks.items():
        shape = draw.model[f"{name}.weight"].shape
        draw.pair(f"base_model.model.{name}", shape, (".lora_A.weight", ".lora_B.weight"), rank)
        if dora:
            lengths = draw.model[f"{name}.weight"].norm(dim=1) * (1 + 0.3 * torch.randn(shape[0], generator=draw.generator))
            draw.tensors[f"base_model.model.{name}.lora_magnitude_vector"] = lengths
    write_config(draw, "", ranks, dora)
    draw.config = {"peft_type": "LORA", **json.loads(draw.metadata.pop("lora_adapter_metadata"))}
    if draw.chance(0.3):
        draw.config["exclude_modules"] = draw.random.choice([["to_q"], r".*\.proj_mlp"])
    if draw.chance(0.2):
        draw.config["target_modules"] = sorted({name.rsplit(".", 1)[-1] for name in names if not name.rsplit(".", 1)[-1].isdigit()}) or names
        draw.config["layers_to_transform"] = draw.random.choice([0, [1], [0, 1]])
        draw.config["layers_pattern"] = draw.random.choice([["transformer_blocks"], "single_transformer_blocks"])


DIALECTS = {
    "peft": draw_peft, "kohya": draw_kohya, "comfy": draw_comfy, "mixture": draw_mixture, "xlabs": draw_xlabs,
    "bfl": draw_bfl, "fal": draw_fal, "transformer-down": draw_transformer_down, "folder": draw_folder,
}  # fmt: skip
WEIGHTS = [8, 3, 2, 2, 1, 1, 1, 2, 3]


def reference(base: Any, files: list[dict[str, Any]], folder: Path, case: Tensors, ids: torch.Tensor) -> Tensors:
    """Give the velocity and the pooled text that the reference computes with an edit's LoRAs."""
    pipeline = copy.copy(base)
    pipeline.transformer, pipeline.text_encoder = copy.deepcopy(base.transformer), copy.deepcopy(base.text_encoder)
    model = pipeline.transformer
    if files[0]["dialect"] == "folder":
        config = LoraConfig.from_pretrained(str(folder / files[0]["folder"]))
        model = PeftModel.from_pretrained(model, str(folder / files[0]["folder"]), config=config)
        for module in model.modules():
            if hasattr(module, "set_scale"):
                module.set_scale("default", files[0]["scale"])
        model = model.base_model.model
    else:
        names = [f"drawn{index}" for index in range(len(files))]
        for name, file in zip(names, files, strict=True):
            pipeline.load_lora_weights(str(folder / file["folder"]), weight_name=file["file"], adapter_name=name)
        pipeline.set_adapters(names, [file["scale"] for file in files])
    pooled = pipeline.text_encoder(ids[None]).pooler_output
    return {"velocity": first_velocity(model, case, GUIDANCE), "pooled": pooled.contiguous().clone()}


def main(folder: Path, seed: int, count: int) -> None:
    torch.set_grad_enabled(False)
    base = load_pipeline(FIXTURES / "checkpoints" / "plain")
    model, text = base.transformer.state_dict(), base.text_encoder.state_dict()
    text = {key.removeprefix("text_model."): value for key, value in text.items()}
    original = original_transformer(model)
    patch_converters(original)
    case = load_file(FIXTURES / "cases" / "plain-square.safetensors")
    chooser = random.Random(seed)
    cases, expected = [], {}
    for index in range(count):
        files: list[dict[str, Any]] = []
        for position in range(chooser.choice([1, 1, 1, 2, 3])):
            dialect = chooser.choices(list(DIALECTS), WEIGHTS)[0]
            if dialect == "folder" and position > 0 or (files and files[0]["dialect"] == "folder"):
                continue
            draw = Draw(chooser.randrange(2**31), model, original, text)
            DIALECTS[dialect](draw)
            place = f"{index}-{position}"
            (folder / place).mkdir(parents=True)
            name = "adapter_model.safetensors"
            tensors = {key: value.contiguous() for key, value in draw.tensors.items()}
            save_file(tensors, folder / place / name, {"format": "pt", **draw.metadata})
            if draw.config is not None:
                (folder / place / "adapter_config.json").write_text(json.dumps(draw.config))
            scale = chooser.choice([1.0, 1.0, 0.0, -0.5, 0.75, round(chooser.uniform(-2, 2), 3)])
            files.append({"dialect": dialect, "folder": place, "file": name, "scale": scale})
        entry: dict[str, Any] = {"files": files}
        try:
            result = reference(base, files, folder, case, case["clipTokenIds"])
            expected.update({f"{index}.{key}": value for key, value in result.items()})
        except Exception as error:  # noqa: BLE001  (whatever the reference raises is its answer)
            entry["refused"] = f"{type(error).__name__}: {error}"[:300]
        cases.append(entry)
    save_file(expected, folder / "expected.safetensors")
    (folder / "cases.json").write_text(json.dumps(cases, indent=1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
