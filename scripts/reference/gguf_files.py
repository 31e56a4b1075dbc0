"""Writes small GGUF files with PyPI `gguf`, and what it reads from them.

`types.gguf` and `more-types.gguf` have a tensor of random blocks for each element type; a transformer and a T5 encoder are quantised, under
the names of the original repository and of llama.cpp.
"""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from ggml_grids import grid_hashes
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from safetensors.torch import load_file, save_file
from single_files import Tensors, convert_transformer, verified_transformer
from torch import Tensor
from transformers import T5Config, T5EncoderModel

Type = GGMLQuantizationType

# The offset of a block's scale and, where it has one, of the scale of its offsets, both fp16.
HALVES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
    Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}  # fmt: skip
# The same for the types that no FLUX.1 file is usual in. Two more have other scales: MXFP4 a power of two, NVFP4 e4m3.
MORE_HALVES = {
    Type.TQ1_0: [52], Type.TQ2_0: [64], Type.IQ1_S: [0], Type.IQ2_XXS: [0], Type.IQ2_XS: [0], Type.IQ2_S: [0],
    Type.IQ3_XXS: [0], Type.IQ3_S: [0], Type.IQ4_NL: [0], Type.IQ4_XS: [0], Type.NVFP4: [],
}  # fmt: skip
MORE_COLUMNS = 256
# One per row: ordinary, negative, and below the smallest normal number of fp16.
SCALES = (0.0371, -0.0523, 3.1e-6)
COLUMNS = 512


def row_scales(rng: np.random.Generator, count: int) -> np.ndarray:
    """Give fp16 scales [3, count]."""
    return (np.array(SCALES)[:, None] * rng.uniform(0.5, 2, (len(SCALES), count))).astype(np.float16)


def random_blocks(kind: Type, rng: np.random.Generator, columns: int = COLUMNS) -> np.ndarray:
    """Give [3, bytes] with arbitrary integers and finite scales."""
    block_size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (len(SCALES), columns // block_size, block_bytes), dtype=np.uint8)
    for place in (HALVES | MORE_HALVES)[kind]:
        blocks[:, :, place : place + 2] = row_scales(rng, blocks.shape[1])[..., None].view(np.uint8)
    return blocks.reshape(len(SCALES), -1)


def random_mxfp4(rng: np.random.Generator) -> np.ndarray:
    """Give [3, bytes]: small scales, the smallest ones, whose numbers are subnormal, and some above 1."""
    blocks = rng.integers(0, 256, (3, MORE_COLUMNS // 32, 17), dtype=np.uint8)
    blocks[:, :, 0] = np.array([[120], [0], [128]]) + np.arange(MORE_COLUMNS // 32)
    return blocks.reshape(3, -1)


def random_iq1_m(rng: np.random.Generator) -> np.ndarray:
    """Give [3, bytes]: a block's scale lies in the upper nibbles of its four last pairs of bytes."""
    blocks = rng.integers(0, 256, (3, MORE_COLUMNS // 256, 56), dtype=np.uint8)
    bits = row_scales(rng, blocks.shape[1]).view(np.uint16)
    for part in range(4):
        place = 49 + 2 * part
        blocks[:, :, place] = (blocks[:, :, place] & 15) | ((bits >> (4 * part)) & 15) << 4
    return blocks.reshape(3, -1)


def random_numbers(kind: Type, rng: np.random.Generator) -> np.ndarray:
    """Give [3, bytes] of a type without blocks."""
    numbers = (rng.standard_normal((len(SCALES), COLUMNS)) * np.array(SCALES)[:, None]).astype(np.float32)
    return gguf.quantize(numbers, kind).view(np.uint8)


def write(path: Path, architecture: str, tensors: dict[str, tuple[np.ndarray, Type]]) -> dict[str, np.ndarray]:
    """Write tensors given as the bytes of their rows; give what `gguf` reads from the file, widened to float32."""
    writer = GGUFWriter(path, architecture)
    for key, (data, kind) in tensors.items():
        writer.add_tensor(key, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {
        tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).reshape(tensor.shape[::-1]).astype(np.float32)
        for tensor in GGUFReader(path).tensors
    }


def quantised(value: Tensor, kind: Type) -> tuple[np.ndarray, Type]:
    """Quantise matrices whose rows are whole blocks; others become F16, vectors stay F32."""
    numbers = value.float().numpy()
    if value.ndim < 2:
        kind = Type.F32
    elif value.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Type.F16
    data = gguf.quantize(numbers, kind)
    return data.view(np.uint8).reshape(*value.shape[:-1], -1), kind


def to_torch(tensors: dict[str, np.ndarray]) -> Tensors:
    return {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}


def t5_names(keys: list[str], num_layers: int) -> dict[str, str]:
    """Give the name that llama.cpp has for each of the encoder's keys."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, num_layers)
    return {key: names.get_name(key, try_suffixes=(".weight",)) for key in keys}


def published_t5() -> dict[str, dict[str, list[int]]]:
    """Give key and shape of every tensor of the published T5 encoder (google/t5-v1_1-xxl), in both layouts."""
    config = T5Config(
        d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64, vocab_size=32128, feed_forward_proj="gated-gelu",
    )  # fmt: skip
    with torch.device("meta"):
        weights = T5EncoderModel(config).state_dict()
    shapes = {key: list(weights[key].shape) for key in sorted(weights) if key != "encoder.embed_tokens.weight"}
    names = t5_names(list(shapes), config.num_layers)
    return {"t5-v1_1-xxl-encoder.gguf": {names[key]: shape for key, shape in shapes.items()}, "text_encoder_2": shapes}


def write_gguf_files(output: Path, checkpoints: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5000)
    types = {kind.name: (random_blocks(kind, rng), kind) for kind in HALVES}
    types |= {kind.name: (random_numbers(kind, rng), kind) for kind in (Type.F32, Type.F16, Type.BF16)}
    save_file(to_torch(write(output / "types.gguf", "flux", types)), output / "types.safetensors")

    rng = np.random.default_rng(5001)
    types = {kind.name: (random_blocks(kind, rng, MORE_COLUMNS), kind) for kind in MORE_HALVES}
    types |= {"MXFP4": (random_mxfp4(rng), Type.MXFP4), "IQ1_M": (random_iq1_m(rng), Type.IQ1_M)}
    save_file(to_torch(write(output / "more-types.gguf", "flux", types)), output / "more-types.safetensors")
    (output / "grids.json").write_text(json.dumps(grid_hashes(), indent=2) + "\n")

    weights = load_file(checkpoints / "shifted" / "transformer" / "diffusion_pytorch_model.safetensors")
    tensors = {
        key: quantised(value, Type.Q4_0 if key.startswith("single_blocks.") else Type.Q8_0)
        for key, value in verified_transformer(weights).items()
    }
    read = to_torch(write(output / "flux.gguf", "flux", tensors))
    converted = convert_transformer(read, weights["x_embedder.weight"].shape[0])
    save_file({key: value.contiguous().clone() for key, value in converted.items()}, output / "flux.safetensors")

    encoder = load_file(checkpoints / "sharded" / "text_encoder_2" / "model.safetensors")
    encoder["shared.weight"] = encoder.pop("encoder.embed_tokens.weight")  # the name that `gguf` knows
    names = t5_names(list(encoder), 1 + max(int(key.split(".")[2]) for key in encoder if ".block." in key))
    tensors = {names[key]: quantised(value, Type.Q8_0) for key, value in encoder.items()}
    read = to_torch(write(output / "t5.gguf", "t5encoder", tensors))
    save_file({key: read[name] for key, name in names.items()}, output / "t5.safetensors")

    lists = ",\n".join(
        f"{json.dumps(name)}: {{\n" + ",\n".join(f"{json.dumps(key)}: {shape}" for key, shape in shapes.items()) + "\n}"
        for name, shapes in published_t5().items()
    )
    (output / "published.json").write_text(f"{{\n{lists}\n}}\n")
