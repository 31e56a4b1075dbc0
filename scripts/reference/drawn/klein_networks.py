"""Draws the networks of klein."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from drawn.draw import Draw
from drawn.image_networks import (
    BASE, Config, autoencoder_config, defaults_of, draw_dtype, draw_widths, without_defaults,
)  # fmt: skip
from drawn.gguf_draws import SIDE, draw_gguf
from drawn.klein_files import is_single, placed_klein
from drawn.stored import Files, json_file
from drawn.text_networks import extra_weights
from drawn.weights import Rules, rules_of, shapes_of
from transformers import Qwen3Config, Qwen3ForCausalLM

AXES = [[2, 2, 2, 2], [4, 2, 2, 4], [4, 4, 4, 4], [2, 6, 4, 2], [8, 4, 2, 2]]
OTHER_ACTIVATIONS = ["gelu", "relu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "swish", "mish", "relu2", "tanh"]
# Of the last layer that the pipeline reads, the 27th: it is followed by the final norm only if it is the last of all.
LAYERS = [28, 27, 29, 36]


def draw_flux2(draw: Draw, latent_channels: int, prompt_size: int) -> tuple[Config, Files]:
    name = "transformer"
    heads = draw.one_of(f"{name}.num_attention_heads", [2, 1, 3, 5])
    # An axis fewer than the positions have is ignored, at their end.
    axes = draw.rarely(f"{name}.other_axes", draw.one_of(f"{name}.axes_dims_rope", AXES), [[4, 4, 4], [6, 6]])
    if draw.rarely(f"{name}.published_heads", False, [True]):
        heads, axes = 1, [32, 32, 32, 32]
    blocks = [draw.one_of(f"{name}.num_layers", [1, 0, 2]), draw.one_of(f"{name}.num_single_layers", [1, 0, 2, 3])]
    if is_single(draw, name):
        # The converters want a block of each kind.
        blocks = [max(1, count) for count in blocks]
    if draw_gguf(draw, name):
        heads, axes = SIDE // 128, [32, 32, 32, 32]
    config: Config = {
        "patch_size": 1,
        "in_channels": 4 * latent_channels,
        "out_channels": draw.rarely(f"{name}.out_channels", None, [4 * latent_channels]),
        "num_layers": blocks[0],
        "num_single_layers": blocks[1],
        "attention_head_dim": sum(axes),
        "num_attention_heads": heads,
        "joint_attention_dim": prompt_size,
        "timestep_guidance_channels": draw.one_of(f"{name}.timestep_guidance_channels", [256, 32, 16]),
        "mlp_ratio": draw.one_of(f"{name}.mlp_ratio", [3.0, 1.5, 2.0, 2.7]),
        "axes_dims_rope": axes,
        "rope_theta": draw.one_of(f"{name}.rope_theta", [2000, 500, 10000]),
        "eps": draw.rarely(f"{name}.eps", 1e-6, [1e-3, 1e-12]),
        "guidance_embeds": draw.one_of(f"{name}.guidance_embeds", [False, True]),
    }
    config["timestep_guidance_channels"] = draw.rarely(
        f"{name}.odd_channels", config["timestep_guidance_channels"], [33]
    )
    rules = rules_of(shapes_of(Flux2Transformer2DModel, config), draw_dtype(draw, name))
    written = without_defaults(draw, name, config, defaults_of(Flux2Transformer2DModel))
    files = {f"{name}/config.json": json_file({"_class_name": "Flux2Transformer2DModel", **BASE, **written})}
    return config, files | placed_klein(draw, name, rules)


def draw_flux2_autoencoder(draw: Draw) -> tuple[Config, Files]:
    config: Config = autoencoder_config(draw, [4, 1, 2, 3, 5, 8, 32])
    config["batch_norm_eps"] = draw.one_of("vae.batch_norm_eps", [1e-4, 1e-2, 1e-6])
    config["batch_norm_momentum"] = draw.rarely("vae.batch_norm_momentum", 0.1, [0.5])
    config["patch_size"] = [2, 2]
    if draw.one_of("vae.own_decoder", [False, True]):
        levels = len(config["block_out_channels"])
        config["decoder_block_out_channels"] = draw_widths(draw, "vae.decoder", config["norm_num_groups"], levels)
    rules = rules_of(shapes_of(AutoencoderKLFlux2, config), draw_dtype(draw, "vae"))
    written = without_defaults(draw, "vae", config, defaults_of(AutoencoderKLFlux2))
    files = {"vae/config.json": json_file({"_class_name": "AutoencoderKLFlux2", **BASE, **written})}
    return config, files | placed_klein(draw, "vae", rules)


def draw_qwen(draw: Draw, vocabulary: int) -> tuple[int, Files]:
    """Give the size of the embeddings, three layers' beside each other, and the files."""
    name = "text_encoder"
    keys = draw.one_of(f"{name}.num_key_value_heads", [1, 2, 3])
    heads = keys * draw.one_of(f"{name}.queries_for_a_key", [2, 1, 4])
    size = draw.one_of(f"{name}.head_dim", [4, 2, 8, 6])
    width = draw.one_of(f"{name}.hidden_size", [8, 12, 15])
    if draw.rarely(f"{name}.shared_width", False, [True]):
        width = heads * size
    layers = draw.one_of(f"{name}.num_hidden_layers", LAYERS)
    inner = draw.one_of(f"{name}.intermediate_size", [16, 24, 7])
    if draw_gguf(draw, name):
        # Whole blocks in every row.
        keys, heads, size, width, inner = min(keys, 2), 2, SIDE // 2, SIDE, SIDE
    config: Config = {
        # Like the published vocabulary (151,669 tokens, 151,936 rows), the table has more rows than there are tokens.
        "vocab_size": vocabulary + draw.one_of(f"{name}.more_rows", [3, 0]),
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keys,
        "head_dim": size,
        "hidden_act": draw.rarely(f"{name}.hidden_act", "silu", OTHER_ACTIVATIONS),
        "max_position_embeddings": draw.one_of(f"{name}.max_position_embeddings", [32768, 40960, 64]),
        "rms_norm_eps": draw.rarely(f"{name}.rms_norm_eps", 1e-6, [1e-5, 1e-3]),
        "tie_word_embeddings": draw.one_of(f"{name}.tie_word_embeddings", [True, False]),
        "attention_bias": draw.rarely(f"{name}.attention_bias", False, [True]),
        "pad_token_id": draw.rarely(f"{name}.pad_token_id", None, [0, vocabulary - 1]),
        "max_window_layers": draw.rarely(f"{name}.max_window_layers", 28, [10]),
        "use_sliding_window": draw.rarely(f"{name}.use_sliding_window", False, [True]),
        # A window shorter than the text is refused here.
        "sliding_window": draw.rarely(f"{name}.sliding_window", None, [600, 4096, 32768] * 9 + [8]),
    }  # fmt: skip
    rules = rules_of(shapes_of(Qwen3ForCausalLM, Qwen3Config(**config)), draw_dtype(draw, name))
    rules = other_keys(draw, name, rules, config["tie_word_embeddings"])
    written = without_defaults(draw, name, config, Qwen3Config().to_dict()) | positions(draw, name)
    if draw.rarely(f"{name}.layer_types", False, [True]):
        written["layer_types"] = ["full_attention"] * layers
    base = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}
    return 3 * width, {f"{name}/config.json": json_file(base | written)} | placed_klein(draw, name, rules)


def positions(draw: Draw, name: str) -> Config:
    """Give the fields that say how positions turn: those of transformers 5, of transformers 4, or none."""
    theta = draw.one_of(f"{name}.rope_theta", [1e6, 5e6, 1e4])
    form = draw.one_of(f"{name}.rope_form", ["rope_parameters", "rope_theta", "absent"])
    # Refused here: it serves texts that are longer than any that the pipeline reads.
    long = {"rope_type": "linear", "factor": 2.0}
    scaling: dict[str, Any] | None = draw.rarely(f"{name}.rope_scaling", None, [{"rope_type": "default"}] * 29 + [long])
    if form == "rope_parameters":
        return {"rope_parameters": {"rope_type": "default", "rope_theta": theta} | (scaling or {})}
    return {} if form == "absent" else {"rope_theta": theta, "rope_scaling": scaling}


def other_keys(draw: Draw, name: str, rules: Rules, is_tied: bool) -> Rules:
    """Drop or add what the layers that are read do not need."""
    head = "lm_head.weight"
    if is_tied and not draw.rarely(f"{name}.head_stored", False, [True]):
        rules = {key: rule for key, rule in rules.items() if key != head}
    # Of older releases.
    rules |= extra_weights(draw, name, {"model.rotary_emb.inv_freq": [4]})
    if not is_single(draw, name) and draw.rarely(f"{name}.without_prefix", False, [True]):
        return {key.removeprefix("model."): rule for key, rule in rules.items()}
    return rules
