"""Writes transformer and autoencoder as single files in the layouts of the original repository and of ComfyUI.

diffusers' converters go from those layouts to the folder; here is their inverse, and every file that is written is
converted back by them and compared, tensor for tensor. The keys of the published files come from the published sizes in
the same way, without their weights.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from diffusers.loaders import single_file_utils
from diffusers.quantizers.bfl.utils import dequantize_fp8r, quantize_fp8r
from safetensors.torch import load_file, save_file
from torch import Tensor

Tensors = dict[str, Tensor]

FP8 = torch.float8_e4m3fn
PREFIX = "model.diffusion_model."
MARKER = "scaled_fp8"
QUANT_HINT = b'{"format": "float8_e4m3fn"}'

# Layers that both layouts have, original name first.
TOP = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
DOUBLE = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
DOUBLE_FUSED = {
    "img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
}
DOUBLE_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
SINGLE = {"modulation.lin": "norm.linear", "linear2": "proj_out"}
SINGLE_FUSED = {"linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"]}
SINGLE_NORMS = {"norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"}


def original_transformer(tensors: Tensors) -> Tensors:
    """Give a transformer's tensors the keys and the order of rows of the original repository."""
    rest, result = dict(tensors), {}

    def move(names: dict[str, str], old: str = "", new: str = "") -> None:
        for original, name in names.items():
            for kind in ("weight", "bias"):
                if f"{old}{name}.{kind}" in rest:
                    result[f"{new}{original}.{kind}"] = rest.pop(f"{old}{name}.{kind}")

    def fuse(names: dict[str, list[str]], old: str, new: str) -> None:
        for original, parts in names.items():
            for kind in ("weight", "bias"):
                result[f"{new}{original}.{kind}"] = torch.cat([rest.pop(f"{old}{part}.{kind}") for part in parts])

    def scales(names: dict[str, str], old: str, new: str) -> None:
        for original, name in names.items():
            result[f"{new}{original}.scale"] = rest.pop(f"{old}{name}.weight")

    move(TOP)
    for kind in ("weight", "bias"):
        scale, shift = rest.pop(f"norm_out.linear.{kind}").chunk(2)
        result[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
    for old_name, new_name, names, fused, norms in (
        ("transformer_blocks", "double_blocks", DOUBLE, DOUBLE_FUSED, DOUBLE_NORMS),
        ("single_transformer_blocks", "single_blocks", SINGLE, SINGLE_FUSED, SINGLE_NORMS),
    ):
        for index in sorted({int(key.split(".")[1]) for key in tensors if key.startswith(f"{old_name}.")}):
            old, new = f"{old_name}.{index}.", f"{new_name}.{index}."
            move(names, old, new)
            fuse(fused, old, new)
            scales(norms, old, new)
    if rest:
        raise ValueError(f"These tensors have no place in the original layout: {', '.join(rest)}")
    return result


def original_autoencoder(tensors: Tensors, levels: int) -> Tensors:
    """Give an autoencoder's tensors the keys and shapes of the original repository."""
    replacements = {
        ".conv_norm_out.": ".norm_out.", ".conv_shortcut.": ".nin_shortcut.", ".downsamplers.0.": ".downsample.",
        ".upsamplers.0.": ".upsample.", ".resnets.": ".block.", ".mid_block.attentions.0.": ".mid.attn_1.",
        ".group_norm.": ".norm.", ".to_q.": ".q.", ".to_k.": ".k.", ".to_v.": ".v.", ".to_out.0.": ".proj_out.",
        ".down_blocks.": ".down.", ".mid_block.block.0.": ".mid.block_1.", ".mid_block.block.1.": ".mid.block_2.",
    }  # fmt: skip
    result = {}
    for name, value in tensors.items():
        key = name
        for found, wanted in replacements.items():
            key = key.replace(found, wanted)
        if ".up_blocks." in key:
            level = int(key.split(".")[2])
            key = key.replace(f".up_blocks.{level}.", f".up.{levels - 1 - level}.")
        is_projection = ".mid.attn_1." in key and value.ndim == 2
        result[key] = value[:, :, None, None] if is_projection else value
    return result


def convert_transformer(original: Tensors, width: int) -> Tensors:
    """Run diffusers' converter, which has the published width hard-coded, for a transformer of another width."""
    source = inspect.getsource(single_file_utils.convert_flux_transformer_checkpoint_to_diffusers)
    published = "inner_dim = 3072\n"
    if published not in source:
        raise ValueError("diffusers' converter has changed: it no longer names its width")
    names: dict[str, Any] = dict(vars(single_file_utils))
    exec(source.replace(published, f"inner_dim = {width}\n"), names)
    rest = dict(original)
    converted = names["convert_flux_transformer_checkpoint_to_diffusers"](rest)
    if rest:
        raise ValueError(f"diffusers' converter leaves {', '.join(rest)}")
    return converted


def convert_autoencoder(original: Tensors, levels: int) -> Tensors:
    config = {"down_block_types": [""] * levels, "up_block_types": [""] * levels}
    return single_file_utils.convert_ldm_vae_checkpoint(dict(original), config)


def assert_same(wanted: Tensors, found: Tensors) -> None:
    """Make sure that two sets of tensors have the same keys, shapes, types and, unless they are on `meta`, values."""
    if wanted.keys() != found.keys():
        raise ValueError(f"diffusers converts to other keys: {', '.join(sorted(wanted.keys() ^ found.keys()))}")
    for key, value in wanted.items():
        other = found[key]
        is_same = value.shape == other.shape and value.dtype == other.dtype
        if not is_same or not (value.is_meta or torch.equal(value, other)):
            raise ValueError(f"diffusers converts {key} to something else")


def verified_transformer(tensors: Tensors) -> Tensors:
    original = original_transformer(tensors)
    assert_same(tensors, convert_transformer(original, tensors["x_embedder.weight"].shape[0]))
    return original


def verified_autoencoder(tensors: Tensors, levels: int) -> Tensors:
    original = original_autoencoder(tensors, levels)
    assert_same(tensors, convert_autoencoder(original, levels))
    return original


def to_scaled_fp8(tensors: Tensors) -> Tensors:
    """Store every matrix as ComfyUI's scaled fp8: the largest number becomes the largest of the type."""
    result = {MARKER: torch.zeros(2, dtype=FP8)}
    for key, value in tensors.items():
        if value.ndim != 2:
            result[key] = value
            continue
        scale = value.abs().amax() / torch.finfo(FP8).max
        layer = key.removesuffix(".weight")
        result |= {key: (value / scale).to(FP8), f"{layer}.scale_weight": scale, f"{layer}.scale_input": torch.ones(())}
    return result


def to_row_fp8(tensors: Tensors) -> Tensors:
    """Store matrices as newer files do: with a factor for each row (as diffusers' own quantiser), or one and e5m2."""
    result = {}
    for key, value in tensors.items():
        layer = key.removesuffix(".weight")
        if value.ndim != 2:
            result[key] = value
        elif key.startswith("single_blocks."):
            scale = value.abs().amax().reshape(1) / torch.finfo(torch.float8_e5m2).max
            result |= {key: (value / scale).to(torch.float8_e5m2), f"{layer}.weight_scale": scale}
        else:
            result[key], result[f"{layer}.weight_scale"] = quantize_fp8r(value)
            result[f"{layer}.input_scale"] = torch.full((), 0.01)
            result[f"{layer}.comfy_quant"] = torch.frombuffer(bytearray(QUANT_HINT), dtype=torch.uint8)
    return result


def from_row_fp8(tensors: Tensors) -> Tensors:
    """Give the float32 weights that such a file stands for."""
    result = {}
    for key, value in tensors.items():
        scale = tensors.get(f"{key.removesuffix('.weight')}.weight_scale")
        if key.endswith((".weight_scale", ".input_scale", ".comfy_quant")):
            continue
        if scale is None:
            result[key] = value
        else:
            result[key] = value.float() * scale if scale.numel() == 1 else dequantize_fp8r(value, scale)
    return result


def from_fp8(tensors: Tensors) -> Tensors:
    """Give the float32 weights that an fp8 file stands for."""
    result = {}
    for key, value in tensors.items():
        if key != MARKER and not key.endswith((".scale_weight", ".scale_input")):
            scale = tensors.get(f"{key.removesuffix('.weight')}.scale_weight", torch.ones(()))
            result[key] = value.float() * scale
    return result


@torch.no_grad()
def first_velocity(model: FluxTransformer2DModel, case: Tensors, guidance: float) -> Tensor:
    """Give a transformer's velocity for a case's first step."""
    length = case["noise"].shape[1]
    result = model(
        hidden_states=torch.cat([case["noise"], case["referenceLatents"]], dim=1),
        encoder_hidden_states=case["promptEmbeds"],
        pooled_projections=case["pooledPromptEmbeds"],
        timestep=case["sigmas"][:1],
        guidance=torch.tensor([guidance]),
        img_ids=torch.cat([case["latentIds"], case["referenceIds"]]),
        txt_ids=case["textIds"],
        return_dict=False,
    )[0]
    return result[:, :length].contiguous().clone()


def velocity(folder: Path, original: Tensors, case: Tensors, guidance: float) -> Tensor:
    """Give the velocity of a case's first step with other weights."""
    model = FluxTransformer2DModel.from_config(FluxTransformer2DModel.load_config(folder / "transformer"))
    model.load_state_dict(convert_transformer(original, original["img_in.weight"].shape[0]))
    return first_velocity(model, case, guidance)


def published_keys() -> dict[str, dict[str, list[int]]]:
    """Give key and shape of every tensor of the published model, in both layouts."""
    widths = (128, 256, 512, 512)
    with torch.device("meta"):
        transformer = FluxTransformer2DModel(guidance_embeds=True).state_dict()
        vae = AutoencoderKL(
            block_out_channels=widths, down_block_types=("DownEncoderBlock2D",) * 4, use_quant_conv=False,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=16, use_post_quant_conv=False,
        ).state_dict()  # fmt: skip
    files = {
        "flux1-kontext-dev.safetensors": verified_transformer(transformer),
        "ae.safetensors": verified_autoencoder(vae, len(widths)),
        "transformer": transformer,
        "vae": vae,
    }
    return {name: {key: list(tensors[key].shape) for key in sorted(tensors)} for name, tensors in files.items()}


def write_single_files(output: Path, checkpoints: Path, case: Tensors, guidance: float) -> None:
    """Write the files; `case` is one of the checkpoint `plain`."""
    output.mkdir(parents=True, exist_ok=True)

    def save(name: str, tensors: Tensors) -> None:
        save_file({key: value.contiguous().clone() for key, value in tensors.items()}, output / f"{name}.safetensors")

    def load(checkpoint: str, component: str) -> Tensors:
        return load_file(checkpoints / checkpoint / component / "diffusion_pytorch_model.safetensors")

    plain = verified_transformer(load("plain", "transformer"))
    cast = {key: value.to(FP8) for key, value in plain.items()}
    scaled = to_scaled_fp8(plain)
    rows = to_row_fp8(plain)
    save("plain", plain)
    save("odd-comfy", {f"{PREFIX}{key}": value for key, value in verified_transformer(load("odd", "transformer")).items()})
    save("plain-ae", verified_autoencoder(load("plain", "vae"), 4))
    save("odd-ae", verified_autoencoder(load("odd", "vae"), 3))
    save("plain-fp8", cast)
    save("plain-fp8-scaled", {f"{PREFIX}{key}": value for key, value in scaled.items()})
    save("plain-fp8-rows", rows)
    save("velocities", {
        "plain": velocity(checkpoints / "plain", plain, case, guidance),
        "plain-fp8": velocity(checkpoints / "plain", from_fp8(cast), case, guidance),
        "plain-fp8-scaled": velocity(checkpoints / "plain", from_fp8(scaled), case, guidance),
        "plain-fp8-rows": velocity(checkpoints / "plain", from_row_fp8(rows), case, guidance),
    })  # fmt: skip
    keys = ",\n".join(
        f"{json.dumps(name)}: {{\n" + ",\n".join(f"{json.dumps(key)}: {shape}" for key, shape in shapes.items()) + "\n}"
        for name, shapes in published_keys().items()
    )
    (output / "published.json").write_text(f"{{\n{keys}\n}}\n")
