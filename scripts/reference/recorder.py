"""Records what passes between the stages of diffusers' pipeline while it runs; nothing is computed a second time.

Hooks sit on the modules, and the scheduler's two methods are wrapped. `record_edit` turns what they saw into the named
tensors of a fixture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from diffusers import FluxKontextPipeline
from PIL import Image
import tools_folder  # noqa: F401  (first)
from pipeline import Edit, run_edit
from torch import Tensor, nn

Tensors = dict[str, Tensor]


class Calls:
    """The arguments and results of every call of one module or method, in order."""

    def __init__(self) -> None:
        self.arguments: list[tuple[Any, ...]] = []
        self.options: list[dict[str, Any]] = []
        self.results: list[Any] = []

    def add(self, arguments: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        self.arguments.append(arguments)
        self.options.append(options)
        self.results.append(result)


class Watcher:
    """Watches the modules and the scheduler of one pipeline."""

    def __init__(self, modules: Sequence[tuple[nn.Module | None, Calls]], scheduler: Any) -> None:
        self.set_timesteps = Calls()
        self.step = Calls()
        self._modules = modules
        self._scheduler = scheduler

    @contextmanager
    def watch(self) -> Iterator[None]:
        handles = [watch_module(module, calls) for module, calls in self._modules if module is not None]
        for name, calls in (("set_timesteps", self.set_timesteps), ("step", self.step)):
            setattr(self._scheduler, name, watched(getattr(self._scheduler, name), calls))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            del self._scheduler.set_timesteps, self._scheduler.step  # the class's own methods show again


class Recorder(Watcher):
    """Watches one pipeline of FLUX.1. Each attribute holds the calls of the part of that name."""

    def __init__(self, pipeline: FluxKontextPipeline) -> None:
        self.clip = Calls()
        self.t5 = Calls()
        self.encoder = Calls()
        self.quant_conv = Calls()
        self.decoder = Calls()
        self.rotary = Calls()
        self.transformer = Calls()
        vae = pipeline.vae
        modules = [
            (pipeline.text_encoder, self.clip), (pipeline.text_encoder_2, self.t5),
            (vae.encoder, self.encoder), (vae.quant_conv, self.quant_conv), (vae.decoder, self.decoder),
            (pipeline.transformer.pos_embed, self.rotary), (pipeline.transformer, self.transformer),
        ]  # fmt: skip
        super().__init__(modules, pipeline.scheduler)


def watch_module(module: nn.Module, calls: Calls) -> Any:
    def hook(_: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], result: Any) -> None:
        calls.add(arguments, options, result)

    return module.register_forward_hook(hook, with_kwargs=True)


def watched(method: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    # `wraps` keeps the signature, by which the pipeline decides what to pass.
    @functools.wraps(method)
    def call(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        calls.add(arguments, options, result)
        return result

    return call


def record_edit(
    pipeline: FluxKontextPipeline, image: Image.Image, edit: Edit, kept_steps: list[int] | None = None
) -> Tensors:
    """Run an edit and return its stages by name; `kept_steps` limits which steps' latents are kept (1 is the first)."""
    recorder = Recorder(pipeline)
    latents: list[Tensor] = []

    def after_step(_: Any, __: int, ___: Any, values: Tensors) -> Tensors:
        latents.append(values["latents"])
        return values

    with recorder.watch():
        picture = run_edit(pipeline, image, edit, callback_on_step_end=after_step)

    guided = edit.true_scale > 1 and edit.negative_prompt is not None
    length = latents[0].shape[1]
    tensors = text_stages(recorder, 0) | reference_stages(recorder, length) | schedule_stages(recorder, pipeline)
    tensors["velocity"] = recorder.transformer.results[0][0][:, :length]
    if guided:
        tensors |= {f"negative.{name}": value for name, value in text_stages(recorder, 1).items()}
        tensors["negative.velocity"] = recorder.transformer.results[1][0][:, :length]
        tensors["guidedVelocity"] = recorder.step.arguments[0][0]
    for step, value in enumerate(latents, start=1):
        if kept_steps is None or step in kept_steps:
            tensors[f"latents.{step}"] = value
    tensors["decoded"] = recorder.decoder.results[0]
    tensors["picture"] = torch.from_numpy(numpy.array(picture))
    # Clones, because safetensors refuses tensors that share memory.
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


def text_stages(recorder: Recorder, index: int) -> Tensors:
    """Collect the stages of the positive (0) or the negative (1) prompt."""
    call = recorder.transformer.options[index]
    return {
        "clipTokenIds": recorder.clip.arguments[index][0][0],
        "t5TokenIds": recorder.t5.arguments[index][0][0],
        "pooledPromptEmbeds": call["pooled_projections"],
        "promptEmbeds": call["encoder_hidden_states"],
        "textIds": call["txt_ids"],
    }


def reference_stages(recorder: Recorder, length: int) -> Tensors:
    """Collect the image's and the noise's stages: the first `length` tokens are the target, the rest the image."""
    call = recorder.transformer.options[0]
    rotary_cos, rotary_sin = recorder.rotary.results[0]
    moments = recorder.quant_conv.results or recorder.encoder.results
    return {
        "referencePixels": recorder.encoder.arguments[0][0],
        "referenceMoments": moments[0],
        "noise": call["hidden_states"][:, :length],
        "referenceLatents": call["hidden_states"][:, length:],
        "latentIds": call["img_ids"][:length],
        "referenceIds": call["img_ids"][length:],
        "rotaryCos": rotary_cos,
        "rotarySin": rotary_sin,
    }


def schedule_stages(recorder: Recorder, pipeline: FluxKontextPipeline) -> Tensors:
    return {
        "mu": torch.tensor([recorder.set_timesteps.options[0]["mu"]], dtype=torch.float32),
        "sigmas": pipeline.scheduler.sigmas,
        "timesteps": pipeline.scheduler.timesteps,
    }
