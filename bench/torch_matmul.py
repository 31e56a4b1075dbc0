"""Prints the fastest matrix product of PyTorch in a type as one JSON line: {"gflops"}.

Usage: python bench/torch_matmul.py THREADS REPETITIONS float32|bfloat16 wall|cpu SIZE...
With cpu, seconds are those of the processor over the threads.
"""

from __future__ import annotations

import json
import sys
import time

import torch


def seconds_of_product(a: torch.Tensor, b: torch.Tensor, clock: str) -> float:
    now = time.process_time if clock == "cpu" else time.perf_counter
    started = now()
    torch.mm(a, b)
    return (now() - started) / (torch.get_num_threads() if clock == "cpu" else 1)


def main() -> None:
    threads, repetitions = map(int, sys.argv[1:3])
    dtype, clock, sizes = getattr(torch, sys.argv[3]), sys.argv[4], map(int, sys.argv[5:])
    torch.set_num_threads(threads)
    gflops = []
    for size in sizes:
        a, b = torch.rand(size, size).to(dtype), torch.rand(size, size).to(dtype)
        best = min(seconds_of_product(a, b, clock) for _ in range(repetitions + 1))
        gflops.append(2 * size**3 / best / 1e9)
    print(json.dumps({"gflops": max(gflops)}))


if __name__ == "__main__":
    main()
