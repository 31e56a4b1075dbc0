"""Records what passes between the stages of diffusers' klein pipelines while they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy
import tools_folder  # noqa: F401  (first)
import torch
from klein_pipeline import KleinEdit, KleinPipeline, run_klein
from PIL import Image
from recorder import Calls, Tensors, Watcher


class KleinRecorder(Watcher):
    """Watches one pipeline. Each attribute holds the calls of the part of that name."""

    def __init__(self, pipeline: KleinPipeline) -> None:
        self.qwen = Calls()
        self.encoder = Calls()
        self.rotary = Calls()
        self.time_embedding = Calls()
        self.transformer = Calls()
        self.decoder = Calls()
        transformer, vae = pipeline.transformer, pipeline.vae
        modules = [
            (pipeline.text_encoder, self.qwen), (vae.encoder, self.encoder), (vae.decoder, self.decoder),
            (transformer.pos_embed, self.rotary), (transformer.time_guidance_embed, self.time_embedding),
            (transformer, self.transformer),
        ]  # fmt: skip
        super().__init__(modules, pipeline.scheduler)


def record_klein(pipeline: KleinPipeline, pictures: Sequence[Image.Image], edit: KleinEdit) -> Tensors:
    """Run an edit and return its stages by name."""
    recorder = KleinRecorder(pipeline)
    latents: list[torch.Tensor] = []

    def after_step(_: Any, __: int, ___: Any, values: Tensors) -> Tensors:
        latents.append(values["latents"])
        return values

    with recorder.watch():
        picture = run_klein(pipeline, pictures, edit, callback_on_step_end=after_step)

    length = latents[0].shape[1]
    tensors = text_stages(recorder, 0) | position_stages(recorder) | image_stages(recorder, length)
    tensors |= {
        "mu": torch.tensor([recorder.set_timesteps.options[0]["mu"]], dtype=torch.float32),
        "sigmas": pipeline.scheduler.sigmas,
        "timesteps": pipeline.scheduler.timesteps,
        "timeEmbedding": recorder.time_embedding.results[0],
        "velocity": recorder.transformer.results[0][0][:, :length],
    }
    if len(recorder.qwen.options) > 1:
        tensors |= {f"negative.{name}": value for name, value in text_stages(recorder, 1).items()}
        tensors["negative.velocity"] = recorder.transformer.results[1][0][:, :length]
        tensors["guidedVelocity"] = recorder.step.arguments[0][0]
    tensors |= {f"latents.{step}": value for step, value in enumerate(latents, start=1)}
    tensors["decoded"] = recorder.decoder.results[0]
    tensors["picture"] = torch.from_numpy(numpy.array(picture))
    # Clones, because safetensors refuses tensors that share memory.
    return {name: value.detach().contiguous().clone() for name, value in tensors.items()}


def text_stages(recorder: KleinRecorder, index: int) -> Tensors:
    """Collect the stages of the prompt (0) or of the empty text (1)."""
    asked = recorder.qwen.options[index]
    return {
        "tokenIds": asked["input_ids"][0],
        "tokenMask": asked["attention_mask"][0].to(torch.uint8),
        "promptEmbeds": recorder.transformer.options[index]["encoder_hidden_states"],
    }


def position_stages(recorder: KleinRecorder) -> Tensors:
    """Collect positions in the order in which the transformer has them: text, and then images as in `imageIds`.

    The tables have every angle twice, for both numbers of the pair that it turns; once is kept.
    """
    call = recorder.transformer.options[0]
    (image_cos, image_sin), (text_cos, text_sin) = recorder.rotary.results[:2]
    return {
        "imageIds": call["img_ids"][0].to(torch.uint8),
        "rotaryCos": torch.cat([text_cos, image_cos])[:, ::2],
        "rotarySin": torch.cat([text_sin, image_sin])[:, ::2],
    }


def image_stages(recorder: KleinRecorder, length: int) -> Tensors:
    """Collect the noise and the references' latents; with keys and values kept, the references come first."""
    call = recorder.transformer.options[0]
    hidden_states = call["hidden_states"]
    num_references = hidden_states.shape[1] - length
    start = num_references if "num_ref_tokens" in call else 0
    noise = hidden_states[:, start : start + length]
    references = hidden_states[:, :start] if start else hidden_states[:, length:]
    sizes = [[values[0].shape[3], values[0].shape[2]] for values in recorder.encoder.arguments]
    return {
        "noise": noise,
        "referenceLatents": references,
        # Width and height of each picture as it is encoded, in pixels.
        "referenceSizes": torch.tensor(sizes, dtype=torch.int64).reshape(-1, 2),
    }
