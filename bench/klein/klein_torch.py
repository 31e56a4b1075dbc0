"""FLUX.2 transformers and a Qwen3 layer by diffusers and transformers, on weights and inputs that `bench/klein` wrote.

Usage: python bench/klein/klein_torch.py transformer|text JSON
  transformer: {"weights": .safetensors in the keys of diffusers, "config": diffusers' own names, "dtype", "inputs",
    "latentSide", "textTokens", "threads", "runs", "output": file for the velocity [C, h, w]}; the network has as many
    blocks as `config` says, and the file may have more
  text: {"weights", "config", "length", "layer", "threads", "output": file for the states after a layer [length, C]}
Prints one JSON line: {"loadSeconds", "seconds": [one per run], "peakBytes"}.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any, Callable

import numpy as np
import torch
from diffusers import Flux2KleinPipeline, Flux2Transformer2DModel
from safetensors import safe_open
from transformers import Qwen3Config, Qwen3Model

Order = dict[str, Any]


def read_inputs(order: Order) -> dict[str, torch.Tensor]:
    """The arguments of the network's forward, with tokens and positions as the pipeline makes them."""
    side, text = order["latentSide"], order["textTokens"]
    channels, prompt_size = order["config"]["in_channels"], order["config"]["joint_attention_dim"]
    numbers = torch.from_numpy(np.fromfile(order["inputs"], dtype=np.float32))
    latents, reference, prompt, sigma, _ = numbers.split([channels * side**2] * 2 + [text * prompt_size, 1, 1])
    grids = [grid.view(1, channels, side, side) for grid in (latents, reference)]
    prompt = prompt.view(1, text, prompt_size)
    return {
        "hidden_states": torch.cat([Flux2KleinPipeline._pack_latents(grid) for grid in grids], dim=1),
        "encoder_hidden_states": prompt,
        "timestep": sigma,
        "img_ids": torch.cat(
            [Flux2KleinPipeline._prepare_latent_ids(grids[0]), Flux2KleinPipeline._prepare_image_ids([grids[1]])], dim=1
        ),
        "txt_ids": Flux2KleinPipeline._prepare_text_ids(prompt),
    }


def load_transformer(order: Order) -> Flux2Transformer2DModel:
    """The weights are read one by one in the type they are needed in; no second copy of them exists."""
    config = {key: value for key, value in order["config"].items() if not key.startswith("_")}
    with torch.device("meta"):
        network = Flux2Transformer2DModel(**config)
    return load(network, order["weights"], "", order["dtype"])


def load(network: torch.nn.Module, file: str, prefix: str, dtype: str) -> Any:
    with safe_open(file, "pt") as weights:
        keys = network.state_dict().keys()
        state = {key: weights.get_tensor(prefix + key).to(getattr(torch, dtype)) for key in keys}
    network.load_state_dict(state, assign=True)
    return network.eval()


def transformer(order: Order) -> tuple[float, list[float]]:
    started = time.perf_counter()
    network = load_transformer(order)
    load_seconds = time.perf_counter() - started
    # Positions stay in float32, as in the pipeline: their angles need it.
    inputs = {
        key: value if key.endswith("_ids") else value.to(network.dtype) for key, value in read_inputs(order).items()
    }
    side = order["latentSide"]

    def step() -> torch.Tensor:
        return network(**inputs, return_dict=False)[0][0, : side**2]

    seconds, velocity = timed(step, order["runs"])
    velocity.T.float().contiguous().numpy().tofile(order["output"])
    return load_seconds, seconds


def text(order: Order) -> tuple[float, list[float]]:
    started = time.perf_counter()
    with torch.device("meta"):
        network = Qwen3Model(Qwen3Config(**order["config"]))
    # Computed when the network is made, and so not in its file.
    network.rotary_emb = type(network.rotary_emb)(network.config)
    load(network, order["weights"], "model.", "float32")
    load_seconds = time.perf_counter() - started
    ids = torch.arange(order["length"])[None] % order["config"]["vocab_size"]

    def states() -> torch.Tensor:
        return network(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states[order["layer"]][0]

    seconds, result = timed(states, 1)
    result.contiguous().numpy().tofile(order["output"])
    return load_seconds, seconds


def timed(run: Callable[[], torch.Tensor], runs: int) -> tuple[list[float], torch.Tensor]:
    seconds: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - started)
    return seconds, result


def main() -> None:
    order = json.loads(sys.argv[2])
    torch.set_num_threads(order["threads"])
    with torch.inference_mode():
        load_seconds, seconds = {"transformer": transformer, "text": text}[sys.argv[1]](order)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"loadSeconds": load_seconds, "seconds": seconds, "peakBytes": peak}))


if __name__ == "__main__":
    main()
