"""Draws LoRAs of the transformer and of CLIP, as several trainers write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxKontextPipeline, FluxTransformer2DModel
from diffusers.loaders import lora_pipeline
from drawn.draw import Draw
from loras import with_sizes
from single_files import original_transformer
from drawn.stored import Files, TensorRule
from drawn.weights import Rules, shapes_of

Shapes = dict[str, list[int]]

DIALECTS = ["peft", "kohya", "original", "control", "xlabs", "kohya of diffusers"]
# Powers of two: diffusers' converters round the product with alpha to the type of the file.
RANKS = (4, 1, 2)
ALPHAS = (None, 0.5, 2.0, 8.0)
XLABS = {
    "img_attn.qkv": "qkv_lora1", "img_attn.proj": "proj_lora1", "txt_attn.qkv": "qkv_lora2",
    "txt_attn.proj": "proj_lora2", "linear1": "qkv_lora", "linear2": "proj_lora",
}  # fmt: skip
CLIP_LAYERS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"]


def draw_loras(draw: Draw, transformer: dict[str, Any], clip: dict[str, int]) -> tuple[list[dict[str, Any]], Files]:
    """Give the LoRAs of an edit, at most two, and their files."""
    count = draw.one_of("loras", [0, 0, 0, 1, 1, 2])
    if count == 0:
        return [], {}
    shapes = shapes_of(FluxTransformer2DModel, transformer)
    loras, files = [], {}
    for index in range(count):
        name = f"lora.{index}"
        file = f"loras/lora{index}.safetensors"
        files |= {file: Lora(draw, name, shapes, clip).file()}
        loras.append({"file": file, "scale": draw.number(f"{name}.scale", 1.0, -1.5, 2.0)})
    return loras, files


class Lora:
    """One file."""

    def __init__(self, draw: Draw, name: str, shapes: Shapes, clip: dict[str, int]) -> None:
        self._draw, self._name, self._clip = draw, name, clip
        self._shapes = {key: shape for key, shape in shapes.items() if len(shape) == 2}
        self._all_shapes = shapes
        self._dtype = draw.one_of(f"{name}.dtype", ["F32", "BF16", "F16"])
        self._rank = draw.one_of(f"{name}.rank", RANKS)
        self._alpha = draw.one_of(f"{name}.alpha", ALPHAS)
        self._layers = draw.one_of(f"{name}.layers", ["attn", ""])
        self._rules: Rules = {}

    def file(self) -> dict[str, Any]:
        dialect = self._draw.one_of(f"{self._name}.dialect", DIALECTS)
        metadata = {"format": "pt"}
        if dialect == "peft":
            metadata |= self._peft()
        elif dialect == "kohya of diffusers":
            self._kohya_of_diffusers()
        else:
            self._original(dialect)
        return {"salt": self._name, "tensors": self._rules, "metadata": metadata}

    def _peft(self) -> dict[str, str]:
        """Write diffusers' keys, with the strength in the metadata, beside each layer, or nowhere."""
        draw, name = self._draw, self._name
        strength = draw.one_of(f"{name}.strength", ["nowhere", "alpha keys", "metadata"])
        is_dora = draw.rarely(f"{name}.dora", False, [True])
        has_patterns = draw.rarely(f"{name}.patterns", False, [True])
        layers = [key.removesuffix(".weight") for key in self._shapes if self._layers in key]
        ranks = {layer: 2 * self._rank if has_patterns and layer.endswith("to_k") else self._rank for layer in layers}
        for layer in layers:
            shape = self._shapes[f"{layer}.weight"]
            self._pair(f"transformer.{layer}.lora_A.weight", f"transformer.{layer}.lora_B.weight", shape, ranks[layer])
            if is_dora:
                self._rules[f"transformer.{layer}.lora_magnitude_vector"] = (self._dtype, [shape[0]], "n")
            if strength == "alpha keys" and self._alpha is not None:
                self._rules[f"transformer.{layer}.alpha"] = scalar(self._alpha)
        has_text = draw.rarely(f"{name}.text_encoder", False, [True])
        if has_text:
            for layer, shape in self._clip_layers():
                key = f"text_encoder.text_model.encoder.layers.0.{layer}"
                self._pair(f"{key}.lora_A.weight", f"{key}.lora_B.weight", shape, self._rank)
        if strength != "metadata":
            return {}
        config: dict[str, Any] = {"r": self._rank, "lora_alpha": self._alpha or self._rank, "target_modules": layers}
        config["use_dora"] = is_dora
        if has_patterns:
            config["rank_pattern"] = {layer: rank for layer, rank in ranks.items() if rank != self._rank}
            config["alpha_pattern"] = {"to_q": 1.0, r"transformer_blocks.*attn\.to_v": 4.0}
        prefixed = {f"transformer.{key}": value for key, value in config.items()}
        if has_text:
            text = {"r": self._rank, "lora_alpha": 2.0, "target_modules": [layer for layer, _ in self._clip_layers()]}
            prefixed |= {f"text_encoder.{key}": value for key, value in text.items()}
        return {"lora_adapter_metadata": json.dumps(prefixed)}

    def _kohya_of_diffusers(self) -> None:
        """Write sd-scripts' form of diffusers' keys; the converter wants an alpha everywhere."""
        for key, shape in self._shapes.items():
            if "attn" in key and self._layers in key:
                layer = f"lora_transformer_{key.removesuffix('.weight').replace('.', '_')}"
                self._down_up(layer, shape, self._alpha or 1.0)

    def _original(self, dialect: str) -> None:
        """Write the keys of the original repository as one of four trainers does."""
        meta = {key: torch.empty(shape, device="meta") for key, shape in self._all_shapes.items()}
        for key, value in original_transformer(meta).items():
            layer, shape = key.removesuffix(".weight"), list(value.shape)
            in_block = "_blocks." in layer
            if dialect == "control" and key.endswith("_norm.scale"):
                self._rules[key] = (self._dtype, shape, "n")
            if len(shape) != 2:
                continue
            is_chosen = in_block and (self._layers in layer or "linear" in layer)
            if dialect == "kohya" and is_chosen:
                self._down_up(f"lora_unet_{layer.replace('.', '_')}", shape, self._alpha)
            elif dialect == "xlabs" and is_chosen:
                self._xlabs(layer, shape)
            # The converters of the other two want every layer.
            elif dialect == "original" and (in_block or layer == "final_layer.linear"):
                self._pair(f"base_model.model.{layer}.lora_A.weight", f"base_model.model.{layer}.lora_B.weight", shape)
            elif dialect == "control":
                self._pair(f"{layer}.lora_A.weight", f"{layer}.lora_B.weight", shape)
                if "adaLN" in layer:
                    # diffusers swaps the halves of B, as it must, and also those of A, for no reason.
                    self._rules[f"{layer}.lora_A.weight"] = (self._dtype, [2, shape[1]], "c0.125")
                    self._rules[f"{layer}.lora_B.weight"] = (self._dtype, [shape[0], 2], "u-2")
        if dialect == "kohya" and self._draw.rarely(f"{self._name}.text_encoder", False, [True]):
            for layer, shape in self._clip_layers():
                key = f"lora_te1_text_model_encoder_layers_0_{layer.replace('.', '_')}"
                self._down_up(key, shape, self._alpha)

    def _xlabs(self, layer: str, shape: list[int]) -> None:
        block, _, rest = layer.partition("_blocks.")
        index, _, rest = rest.partition(".")
        if rest in XLABS:
            key = f"{block}_blocks.{index}.processor.{XLABS[rest]}"
            rows = [3 * shape[1], shape[1]] if rest == "linear1" else shape
            self._pair(f"{key}.down.weight", f"{key}.up.weight", rows)

    def _clip_layers(self) -> list[tuple[str, list[int]]]:
        width, wide = self._clip["width"], self._clip["intermediate"]
        other = {"mlp.fc1": [wide, width], "mlp.fc2": [width, wide]}
        return [(layer, other.get(layer, [width, width])) for layer in CLIP_LAYERS]

    def _down_up(self, layer: str, shape: list[int], alpha: float | None) -> None:
        self._pair(f"{layer}.lora_down.weight", f"{layer}.lora_up.weight", shape)
        if alpha is not None:
            self._rules[f"{layer}.alpha"] = scalar(alpha)

    def _pair(self, down: str, up: str, shape: list[int], rank: int | None = None) -> None:
        rank = rank or self._rank
        self._rules[down] = (self._dtype, [rank, shape[1]], "u-2")
        self._rules[up] = (self._dtype, [shape[0], rank], "u-2")


def scalar(value: float) -> TensorRule:
    return ("F32", [], f"c{value}")


def load_loras(pipeline: FluxKontextPipeline, folder: Path, loras: list[dict[str, Any]]) -> None:
    """Load the LoRAs, with the converters' published sizes exchanged for the transformer's."""
    if not loras:
        return
    config = pipeline.transformer.config
    width = config.num_attention_heads * config.attention_head_dim
    for kind in ("kohya_flux", "fal_kontext", "bfl_flux_control"):
        name = f"_convert_{kind}_lora_to_diffusers"
        setattr(lora_pipeline, name, with_sizes(name, width, config.num_layers, config.num_single_layers))
    names = [f"lora{index}" for index in range(len(loras))]
    for name, lora in zip(names, loras):
        pipeline.load_lora_weights(str(folder / "loras"), weight_name=Path(lora["file"]).name, adapter_name=name)
    pipeline.set_adapters(names, [lora["scale"] for lora in loras])
