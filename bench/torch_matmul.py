"""Prints the fastest float32 matrix product of PyTorch as one JSON line: {"gflops"}.

Usage: python bench/torch_matmul.py THREADS REPETITIONS SIZE...
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
    threads, repetitions, *sizes = map(int, sys.argv[1:])
    torch.set_num_threads(threads)
    gflops = []
    for size in sizes:
        a, b = torch.rand(size, size), torch.rand(size, size)
        best = min(seconds_of_product(a, b) for _ in range(repetitions + 1))
        gflops.append(2 * size**3 / best / 1e9)
    print(json.dumps({"gflops": max(gflops)}))


if __name__ == "__main__":
    main()
