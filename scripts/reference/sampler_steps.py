"""Steps of the schedulers of second order, with the levels of FLUX's pipelines and a velocity that follows from the latents.

Neither class makes levels as the pipelines do, so each is given those of `FlowMatchEulerDiscreteScheduler`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
)
from diffusers.pipelines.flux.pipeline_flux_kontext import retrieve_timesteps
from torch import Tensor

STEPS = 6
SHAPE = (5, 4)
# Levels by name: the pipelines' own, one that begins below pure noise as with a mask, one step, two, many, and uneven ones.
LEVELS: dict[str, list[float]] = {
    "usual": numpy.linspace(1.0, 1 / STEPS, STEPS).tolist(),
    "begun": [0.7, 0.5, 0.3, 0.1],
    "one": [1.0],
    "two": [1.0, 0.5],
    "many": numpy.linspace(1.0, 1 / 20, 20).tolist(),
    "uneven": [1.0, 0.95, 0.4, 0.35, 0.1, 0.02],
}


def sigmas_of(levels: list[float]) -> Tensor:
    scheduler = FlowMatchEulerDiscreteScheduler.from_config({"use_dynamic_shifting": True})
    retrieve_timesteps(scheduler, None, "cpu", sigmas=levels, mu=0.7)
    return scheduler.sigmas


def velocity_of(latents: Tensor, sigma: Tensor) -> Tensor:
    return latents * 0.5 - sigma


def heun_steps(sigmas: Tensor, latents: Tensor) -> list[Tensor]:
    """Give the latents after each step; between two of them, the scheduler is called twice."""
    scheduler = FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(len(sigmas) - 1)
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
    levels = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2)])
    scheduler.timesteps = levels * 1000
    scheduler.set_begin_index(0)
    after = []
    for call, sigma in enumerate(levels):
        latents = scheduler.step(velocity_of(latents, sigma), scheduler.timesteps[call], latents, return_dict=False)[0]
        if scheduler.state_in_first_order or call == len(levels) - 1:
            after.append(latents)
    return after


def solver_steps(sigmas: Tensor, latents: Tensor) -> list[Tensor]:
    scheduler = DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True)
    scheduler.set_timesteps(len(sigmas) - 1)
    scheduler.sigmas = sigmas
    scheduler.set_begin_index(0)
    after = []
    for step, timestep in enumerate(scheduler.timesteps):
        latents = scheduler.step(velocity_of(latents, sigmas[step]), timestep, latents, return_dict=False)[0]
        after.append(latents)
    return after


def sampler_step_tensors() -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    samplers: dict[str, Callable[[Tensor, Tensor], list[Tensor]]] = {"heun": heun_steps, "dpmpp_2m": solver_steps}
    for name, levels in LEVELS.items():
        sigmas = sigmas_of(levels)
        start = torch.randn(SHAPE, generator=torch.Generator().manual_seed(17))
        tensors[f"{name}.sigmas"] = sigmas
        tensors[f"{name}.start"] = start
        for sampler, steps_of in samplers.items():
            after = steps_of(sigmas, start)
            assert len(after) == len(levels)
            tensors[f"{name}.{sampler}"] = torch.stack(after)
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
