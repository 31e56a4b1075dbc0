"""Prints the fastest matrix product of PyTorch in a type as one JSON line: {"gflops"}.

Usage: python bench/torch_matmul.py THREADS REPETITIONS float32|bfloat16 SIZE...
"""

from __future__ import annotations

import json
import sys
import time

import torch


def seconds_of_product(a: torch.Tensor, b: torch.Tensor) -> float:
    started = time.perf_counter()
    torch.mm(a, b)
    return time.perf_counter() - started


def main() -> None:
    threads, repetitions = map(int, sys.argv[1:3])
    dtype, sizes = getattr(torch, sys.argv[3]), map(int, sys.argv[4:])
    torch.set_num_threads(threads)
    gflops = []
    for size in sizes:
        a, b = torch.rand(size, size).to(dtype), torch.rand(size, size).to(dtype)
        best = min(seconds_of_product(a, b) for _ in range(repetitions + 1))
        gflops.append(2 * size**3 / best / 1e9)
    print(json.dumps({"gflops": max(gflops)}))


if __name__ == "__main__":
    main()
