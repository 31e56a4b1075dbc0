"""Times edits made with diffusers, for comparison with Retouch; a helper process that `bench/` scripts talk to.

Loads a checkpoint folder once, prints one JSON line, then answers one JSON line on standard input with one on standard
output until the input ends. Everything else goes to standard error.

  ready     {"ready": true, "loadSeconds", "peakRssBytes", "dtype", "threads", "compiled"}
  request   {"image": PNG, "prompt", "width", "height", "steps", "guidance", "seed", "output": PNG}
            and, for true guidance, {"negativePrompt", "trueCfgScale"}
  answer    {"seconds", "denoiseSeconds", "cpuSeconds", "peakRssBytes"} or {"error"}

`seconds` runs from the decoded input image to the written file, `denoiseSeconds` from the start of the first step to
the end of the last; `cpuSeconds` is the processor's time while `seconds` pass. An image of another size is resized to the target's, which is what Retouch does with an image
of the same aspect; otherwise the two would work on different numbers of tokens.

Usage: python bench/diffusers_edit.py FOLDER [--dtype float32|bfloat16] [--compile] [--threads N]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from pipeline import Edit, load_pipeline, run_edit  # noqa: E402
import torch  # noqa: E402
from diffusers import FluxKontextPipeline  # noqa: E402
from PIL import Image  # noqa: E402


def peak_rss_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def timed_edit(pipeline: FluxKontextPipeline, request: dict[str, Any]) -> dict[str, Any]:
    """Do one request and return its times."""
    size = (request["width"], request["height"])
    image = Image.open(request["image"]).convert("RGB")
    edit = Edit(
        prompt=request["prompt"],
        width=size[0],
        height=size[1],
        seed=request["seed"],
        steps=request["steps"],
        guidance=request["guidance"],
        negative_prompt=request.get("negativePrompt"),
        true_scale=request.get("trueCfgScale", 1.0),
    )
    times: list[float] = []

    def after_step(_: Any, __: int, ___: Any, values: dict[str, Any]) -> dict[str, Any]:
        times.append(time.perf_counter())
        return values

    # This is the pipeline's last call before its loop. A hook on the network would be compiled with it and slow it down.
    set_begin_index = pipeline.scheduler.set_begin_index

    def before_loop(index: int) -> None:
        times.append(time.perf_counter())
        set_begin_index(index)

    pipeline.scheduler.set_begin_index = before_loop
    try:
        started, cpu_started = time.perf_counter(), time.process_time()
        if image.size != size:
            image = image.resize(size, Image.Resampling.LANCZOS)
        run_edit(pipeline, image, edit, callback_on_step_end=after_step).save(request["output"])
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    finally:
        del pipeline.scheduler.set_begin_index  # the class's own method shows again
    return {
        "seconds": seconds,
        "denoiseSeconds": times[-1] - times[0],
        "cpuSeconds": cpu_seconds,
        "peakRssBytes": peak_rss_bytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time edits made with diffusers.")
    parser.add_argument("folder", type=Path, help="checkpoint in the layout of diffusers")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--compile", action="store_true", help="torch.compile the transformer")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; its own choice when not given")
    arguments = parser.parse_args()

    # Whatever a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")

    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    started = time.perf_counter()
    pipeline = load_pipeline(arguments.folder, getattr(torch, arguments.dtype))
    if arguments.compile:
        pipeline.transformer.compile()
    ready = {"ready": True, "loadSeconds": time.perf_counter() - started, "peakRssBytes": peak_rss_bytes()}
    answer(ready | {"dtype": arguments.dtype, "threads": torch.get_num_threads(), "compiled": arguments.compile})

    for line in sys.stdin:
        try:
            answer(timed_edit(pipeline, json.loads(line)))
        except Exception as error:  # the process goes on to the next request
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
