"""Runs a module's own checks without pytest."""

from __future__ import annotations


def run(module: dict[str, object]) -> None:
    """Calls every function of `module`, its globals, whose name begins with `test_`, in order, and prints each one's name."""
    for name, test in list(module.items()):
        if name.startswith("test_") and callable(test):
            test()
            print(f"ok {name[5:].replace('_', ' ')}", flush=True)
