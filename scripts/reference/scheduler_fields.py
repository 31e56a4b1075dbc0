"""What each field of the scheduler's configuration does: its class's signature, and the noise levels with other values.

The fields and their defaults are read from the class, so a field of a new release shows in the fixture.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import diffusers
import numpy
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux_kontext import calculate_shift, retrieve_timesteps
from torch import Tensor

# Other values of each field; of one that the class does not know, too, since it keeps what it does not know.
OTHER_VALUES: dict[str, list[Any]] = {
    "num_train_timesteps": [500, 4000],
    "shift": [3.0, 0.4],
    "use_dynamic_shifting": [True],
    "base_shift": [0.25],
    "max_shift": [1.9],
    "base_image_seq_len": [16],
    "max_image_seq_len": [1024],
    "invert_sigmas": [True],
    "shift_terminal": [0.02, 0.1],
    "use_karras_sigmas": [True],
    "use_exponential_sigmas": [True],
    "use_beta_sigmas": [True],
    "time_shift_type": ["linear", "quadratic"],
    "stochastic_sampling": [True],
    "sigma_min": [0.03],
    "sigma_max": [0.9],
    "rho": [3.0],
    "_class_name": ["EulerDiscreteScheduler", "NoSuchScheduler"],
    "_diffusers_version": ["0.1.0"],
    "_use_default_values": [["shift", "use_dynamic_shifting", "base_shift", "use_karras_sigmas"]],
}
KINDS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")
DYNAMIC = {"use_dynamic_shifting": True}
CALLS: list[dict[str, Any]] = [
    {"tokens": 20, "steps": 5},
    {"tokens": 1024, "steps": 11},
    {"tokens": 256, "sigmas": [1.0, 0.8, 0.31, 0.3, 0.05]},
]
# Extremes: one step, pure noise alone, no noise at all, repeated and rising levels.
EDGES: list[dict[str, Any]] = [
    {"tokens": 64, "steps": 1},
    {"tokens": 64, "steps": 2},
    {"tokens": 64, "sigmas": [0.7]},
    {"tokens": 64, "sigmas": [1.0, 1.0, 0.5, 0.0]},
    {"tokens": 64, "sigmas": [0.2, 0.6]},
]
EDGE_CONFIGS: list[dict[str, Any]] = [
    {}, DYNAMIC, {"shift_terminal": 0.1}, {**DYNAMIC, "invert_sigmas": True}, {"use_karras_sigmas": True},
    {"use_exponential_sigmas": True}, {"use_beta_sigmas": True}, {"shift": 0.0},
]  # fmt: skip


def configurations() -> list[dict[str, Any]]:
    """Each field alone, with dynamic shifting, and with each kind of spacing; and what refuses each other."""
    singles = [{name: value} for name, values in OTHER_VALUES.items() for value in values]
    with_dynamic = [{**DYNAMIC, **fields} for fields in singles if "use_dynamic_shifting" not in fields]
    spaced = [
        {kind: True, **DYNAMIC, **fields}
        for kind in KINDS
        for fields in ({"sigma_min": 0.03, "sigma_max": 0.9}, {"shift_terminal": 0.1}, {"invert_sigmas": True},
                       {"time_shift_type": "linear"})
    ]  # fmt: skip
    pairs = [dict.fromkeys(pair, True) for pair in itertools.combinations(KINDS, 2)]
    return [{}, *singles, *with_dynamic, *spaced, *pairs, {"base_image_seq_len": 512, "max_image_seq_len": 512}]


def levels(config: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """Give the levels as `FluxKontextPipeline` asks for them, and what it tells its network; or the error."""
    try:
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(config)
        names = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
        mu = calculate_shift(call["tokens"], *(scheduler.config[name] for name in names))
        steps = call.get("steps")
        sigmas = numpy.linspace(1.0, 1 / steps, steps) if steps else call["sigmas"]
        with numpy.errstate(all="ignore"):
            timesteps, _ = retrieve_timesteps(scheduler, steps, "cpu", sigmas=sigmas, mu=mu)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
        return {"error": type(error).__name__}
    told = timesteps / 1000
    if not (scheduler.sigmas.isfinite().all() and told.isfinite().all()):
        return {"error": "not finite"}
    return {"sigmas": short(scheduler.sigmas), "timesteps": short(told)}


def short(numbers: Tensor) -> list[float]:
    """Give float32 numbers with the fewest digits that tell them apart."""
    return [float(str(number)) for number in numbers.numpy()]


def scheduler_table() -> dict[str, Any]:
    parameters = inspect.signature(FlowMatchEulerDiscreteScheduler.__init__).parameters
    fields = {name: parameter.default for name, parameter in parameters.items() if name != "self"}
    rows = [(config, call) for config in configurations() for call in CALLS]
    rows += [(config, call) for config in EDGE_CONFIGS for call in EDGES]
    return {
        "fields": fields,
        "rows": [{"config": config, "call": call, "result": levels(config, call)} for config, call in rows],
        "classes": scheduler_classes(),
    }


def scheduler_classes() -> list[str]:
    """The classes that the pipeline can call: those that take `sigmas` and `mu`."""
    names: list[str] = []
    for name in sorted(dir(diffusers)):
        # Static, because classes whose packages are not installed raise at a touch.
        method = inspect.getattr_static(getattr(diffusers, name), "set_timesteps", None)
        if name.endswith("Scheduler") and method and {"sigmas", "mu"} <= set(inspect.signature(method).parameters):
            names.append(name)
    return names


STEP_CONFIGS: dict[str, dict[str, Any]] = {
    "euler": {},
    "inverted": {"invert_sigmas": True},
    "stochastic": {"stochastic_sampling": True},
    "stochastic-inverted": {"stochastic_sampling": True, "invert_sigmas": True},
}


def step_tensors() -> dict[str, Tensor]:
    """Two images of 5 tokens of 4 numbers through four steps, with a velocity that follows from latents and level.

    Latents and the noise of the steps come from one generator, as in the pipeline after `torch.manual_seed`.
    """
    tensors: dict[str, Tensor] = {}
    for name, config in STEP_CONFIGS.items():
        scheduler = FlowMatchEulerDiscreteScheduler.from_config({"use_dynamic_shifting": True, **config})
        timesteps, _ = retrieve_timesteps(scheduler, None, "cpu", sigmas=numpy.linspace(1.0, 0.25, 4), mu=0.7)
        scheduler.set_begin_index(0)
        torch.manual_seed(17)
        latents = torch.randn(2, 5, 4)
        tensors[f"{name}.latents.0"] = latents
        tensors[f"{name}.sigmas"] = scheduler.sigmas
        for step, timestep in enumerate(timesteps):
            velocity = latents * 0.5 - scheduler.sigmas[step]
            latents = scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            tensors[f"{name}.latents.{step + 1}"] = latents
    return {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
