"""Draws the two text encoders."""

from __future__ import annotations

from typing import Any

from drawn.draw import Draw
from drawn.gguf_draws import SIDE, draw_gguf
from drawn.image_networks import Config, draw_dtype, without_defaults
from drawn.stored import Files, json_file
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel
from drawn.placed_files import placed_files
from drawn.weight_files import weight_files
from drawn.weights import Rules, rules_of, shapes_of

CLIP_ACTIVATIONS = [
    "gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh", "relu", "relu2", "silu", "swish", "tanh", "mish",
    "gelu_10", "sigmoid",
]  # fmt: skip
T5_ACTIVATIONS = ["relu", "gelu", "gated-silu", "gated-relu", "gated-gelu_new", "gelu_new", "silu", "swish", "quick_gelu"]
EMBEDDING = "shared.weight"
TIED = "encoder.embed_tokens.weight"


def draw_clip(draw: Draw, vocabulary: int, length: int, end: int) -> tuple[dict[str, int], Files]:
    """Give its sizes, and the files."""
    heads = draw.one_of("text_encoder.num_attention_heads", [2, 1, 3, 8])
    width = heads * draw.one_of("text_encoder.head_size", [8, 4, 6])
    config: Config = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "intermediate_size": draw.one_of("text_encoder.intermediate_size", [32, 24, 50]),
        "projection_dim": draw.one_of("text_encoder.projection_dim", [16, 512]),
        "num_hidden_layers": draw.one_of("text_encoder.num_hidden_layers", [1, 2, 3]),
        "num_attention_heads": heads,
        "max_position_embeddings": length + draw.rarely("text_encoder.more_positions", 0, [5]),
        "hidden_act": draw.one_of("text_encoder.hidden_act", ["quick_gelu", "gelu"]),
        "layer_norm_eps": draw.rarely("text_encoder.layer_norm_eps", 1e-5, [1e-3, 1e-12]),
        "pad_token_id": draw.rarely("text_encoder.pad_token_id", 1, [0]),
        "bos_token_id": 0,
        "eos_token_id": draw.rarely("text_encoder.eos_token_id", 2, [end, 49407]),
    }
    config["hidden_act"] = draw.rarely("text_encoder.other_act", config["hidden_act"], CLIP_ACTIVATIONS)
    shapes = shapes_of(CLIPTextModel, CLIPTextConfig(**config))
    shapes = {key.removeprefix("text_model."): shape for key, shape in shapes.items() if "position_ids" not in key}
    if draw.rarely("text_encoder.position_ids", False, [True]):
        shapes["embeddings.position_ids"] = [1, config["max_position_embeddings"]]
    if draw.one_of("text_encoder.prefix", [True, False]):
        shapes = {f"text_model.{key}": shape for key, shape in shapes.items()}
    rules = rules_of(shapes, draw_dtype(draw, "text_encoder"))
    rules |= extra_weights(draw, "text_encoder", {"text_projection.weight": [16, width], "logit_scale": []})
    written = without_defaults(draw, "text_encoder", config, CLIPTextConfig().to_dict())
    base = {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"}
    files = {"text_encoder/config.json": json_file(base | written)}
    sizes = {"width": width, "intermediate": config["intermediate_size"]}
    return sizes, files | weight_files(draw, "text_encoder", rules)


def draw_t5(draw: Draw, vocabulary: int) -> tuple[int, Files]:
    """Give the size of the embeddings, and the files."""
    width = draw.one_of("text_encoder_2.d_model", [24, 16, 20, 33])
    hidden = draw.one_of("text_encoder_2.d_ff", [40, 17])
    gguf = draw_gguf(draw, "text_encoder_2")
    if gguf:
        width = hidden = SIDE
    layers = draw.one_of("text_encoder_2.num_layers", [1, 2, 3])
    config: Config = {
        # Like the published vocabulary (32,100 tokens, 32,128 rows), the table has more rows than there are tokens.
        "vocab_size": vocabulary + draw.one_of("text_encoder_2.more_rows", [3, 0]),
        "d_model": width,
        "d_kv": draw.one_of("text_encoder_2.d_kv", [8, 4, 7]),
        "d_ff": hidden,
        "num_layers": layers,
        "num_decoder_layers": draw.one_of("text_encoder_2.num_decoder_layers", [layers, 6]),
        "num_heads": draw.one_of("text_encoder_2.num_heads", [2, 1, 3, 8]),
        "relative_attention_num_buckets": draw.one_of("text_encoder_2.relative_attention_num_buckets", [32, 8, 16]),
        "relative_attention_max_distance": draw.one_of("text_encoder_2.relative_attention_max_distance", [128, 20]),
        "layer_norm_epsilon": draw.rarely("text_encoder_2.layer_norm_epsilon", 1e-6, [1e-3]),
        "feed_forward_proj": draw.rarely("text_encoder_2.feed_forward_proj", "gated-gelu", T5_ACTIVATIONS),
        "is_encoder_decoder": draw.rarely("text_encoder_2.is_encoder_decoder", True, [False]),
        "tie_word_embeddings": draw.rarely("text_encoder_2.tie_word_embeddings", False, [True]),
        "dropout_rate": 0.1,
    }
    shapes = shapes_of(T5EncoderModel, T5Config(**config))
    shape = shapes.pop(EMBEDDING)
    shapes.pop(TIED, None)
    names = {"shared": [EMBEDDING], "embed_tokens": [TIED], "both": [EMBEDDING, TIED]}
    chosen = names[draw.one_of("text_encoder_2.embedding_key", ["shared", "embed_tokens", "both"])]
    rules = rules_of({key: shape for key in chosen} | shapes, draw_dtype(draw, "text_encoder_2"))
    extra: dict[str, list[int]] = {"lm_head.weight": shape, "decoder.final_layer_norm.weight": [width]}
    if not gguf:
        rules |= extra_weights(draw, "text_encoder_2", extra)
    written = without_defaults(draw, "text_encoder_2", config, T5Config().to_dict())
    base = {"architectures": ["T5EncoderModel"], "model_type": "t5"}
    files = {"text_encoder_2/config.json": json_file(base | written)}
    return width, files | placed_files(draw, "text_encoder_2", rules)


def extra_weights(draw: Draw, component: str, shapes: dict[str, list[int]]) -> Rules:
    """Give weights of parts that the class does not have; transformers reads over them."""
    chosen = draw.rarely(f"{component}.extra_weights", None, list(shapes))
    extra: dict[str, Any] = {} if chosen is None else {chosen: ("F32", shapes[chosen], "u0")}
    return extra
