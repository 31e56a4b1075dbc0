"""Edits that use what diffusers' pipeline offers beside prompt, steps and guidance, up to their last latents.

Each entry of CALLS is an edit in the engine's own names; schedulers differ from the checkpoint's in the fields given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from cases import LONG_PROMPT, draw_scene
from diffusers import FlowMatchEulerDiscreteScheduler, FluxKontextPipeline
import tools_folder  # noqa: F401  (first)
from pipeline import load_pipeline, text_length
from torch import Tensor

SIDE = 64
BASE: dict[str, Any] = {
    "prompt": "Make the red car blue", "seed": 5, "numSteps": 3, "guidance": 2.5, "numImagesPerPrompt": 1, "trueCfgScale": 1.0,
}  # fmt: skip
NEGATIVE = {"isEmptyNegativeUsed": True, "trueCfgScale": 2.5}

CALLS: dict[str, dict[str, Any]] = {
    "karras": {"scheduler": {"use_karras_sigmas": True}},
    "exponential-500": {"scheduler": {"use_exponential_sigmas": True, "num_train_timesteps": 500}},
    "beta-fixed": {"scheduler": {"use_beta_sigmas": True, "use_dynamic_shifting": False, "shift": 3.0}},
    "linear-terminal": {"scheduler": {"time_shift_type": "linear", "shift_terminal": 0.1}},
    "inverted": {"scheduler": {"invert_sigmas": True}},
    "stochastic": {"scheduler": {"stochastic_sampling": True}},
    "stochastic-two": {"scheduler": {"stochastic_sampling": True}, "numImagesPerPrompt": 2},
    "sigmas": {"sigmas": [1.0, 0.83, 0.4, 0.05]},
    "sigmas-karras": {"sigmas": [0.9, 0.5, 0.2], "scheduler": {"use_karras_sigmas": True}},
    "second-prompt": {"prompt2": "Turn it into a pencil drawing"},
    "second-prompt-guided": {"prompt2": "A cat", "negativePrompt": "blurred", "trueCfgScale": 2.0},
    "longer-text": {"prompt": LONG_PROMPT, "maxSequenceLength": 41},
    "shorter-text": {"prompt": LONG_PROMPT, "maxSequenceLength": 5, "negativePrompt": "dark", "trueCfgScale": 3.0},
    "empty-negative": NEGATIVE,
    "blank-negative": {**NEGATIVE, "negativePrompt": "  "},
    "three-images": {"numImagesPerPrompt": 3},
    "three-images-guided": {"numImagesPerPrompt": 3, **NEGATIVE},
    "embeds": {"embeds": 10},
    "embeds-guided": {"embeds": 10, "negativeEmbeds": 10, "trueCfgScale": 2.0},
    "embeds-two-images": {"embeds": 10, "numImagesPerPrompt": 2},
    "negative-embeds": {"negativeEmbeds": 7, "trueCfgScale": 2.0},
    "given-latents": {"latents": True, "numImagesPerPrompt": 2},
    "given-latents-stochastic": {"latents": True, "scheduler": {"stochastic_sampling": True}},
}


def given_tensors(pipeline: FluxKontextPipeline, call: dict[str, Any]) -> dict[str, Tensor]:
    """Make the tensors that a call gives, in the engine's names, with numbers of the magnitude of real ones."""
    generator = torch.Generator("cpu").manual_seed(99)
    tensors: dict[str, Tensor] = {}
    for prefix, key in (("prompt", "embeds"), ("negativePrompt", "negativeEmbeds")):
        if key in call:
            width, pooled = pipeline.transformer.config.joint_attention_dim, pipeline.transformer.config.pooled_projection_dim
            tensors[f"{prefix}Embeds"] = torch.randn(1, call[key], width, generator=generator)
            name = "pooledPromptEmbeds" if prefix == "prompt" else "negativePooledPromptEmbeds"
            tensors[name] = torch.randn(1, pooled, generator=generator)
    if call.get("latents"):
        tokens = (SIDE // pipeline.vae_scale_factor // 2) ** 2
        shape = (call["numImagesPerPrompt"], tokens, pipeline.transformer.config.in_channels)
        tensors["latents"] = torch.randn(shape, generator=generator)
    return tensors


def run_call(pipeline: FluxKontextPipeline, call: dict[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
    """Run one edit; gives the latents and the tensors that went in."""
    given = given_tensors(pipeline, call)
    fields = dict(pipeline.scheduler.config) | call.get("scheduler", {})
    plain, pipeline.scheduler = pipeline.scheduler, FlowMatchEulerDiscreteScheduler.from_config(fields)
    negative = call.get("negativePrompt", "" if call.get("isEmptyNegativeUsed") else None)
    # The scheduler draws the noise of its steps from the global generator, whatever generator the pipeline is given: with
    # none, latents and steps share it.
    torch.manual_seed(call["seed"])
    result = pipeline(
        image=draw_scene(SIDE, SIDE),
        prompt=None if "embeds" in call else call["prompt"],
        prompt_2=call.get("prompt2"),
        negative_prompt=negative,
        true_cfg_scale=call["trueCfgScale"],
        height=SIDE, width=SIDE, max_area=SIDE * SIDE, _auto_resize=False,
        num_inference_steps=call["numSteps"],
        sigmas=call.get("sigmas"),
        guidance_scale=call["guidance"],
        num_images_per_prompt=call["numImagesPerPrompt"],
        prompt_embeds=given.get("promptEmbeds"),
        pooled_prompt_embeds=given.get("pooledPromptEmbeds"),
        negative_prompt_embeds=given.get("negativePromptEmbeds"),
        negative_pooled_prompt_embeds=given.get("negativePooledPromptEmbeds"),
        latents=given.get("latents"),
        max_sequence_length=call.get("maxSequenceLength", text_length(pipeline)),
        output_type="latent",
    )  # fmt: skip
    pipeline.scheduler = plain
    return result.images, given


def recipe_fixtures(checkpoint: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Give the calls by name, and by `name.tensor` what they were given and the `result`."""
    pipeline = load_pipeline(checkpoint)
    calls = {name: {**BASE, **call} for name, call in CALLS.items()}
    tensors: dict[str, Tensor] = {}
    for name, call in calls.items():
        result, given = run_call(pipeline, call)
        for key, value in {**given, "result": result}.items():
            tensors[f"{name}.{key}"] = value.contiguous().clone()
    return calls, tensors
