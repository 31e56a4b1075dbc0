"""Draws batches ahead of the training in processes of its own, since one core draws slower than a GPU learns.

A batch is a pure function of its number, so the batches are those that the training process would draw itself.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import TypeVar

Drawn = TypeVar("Drawn")

_pool: ProcessPoolExecutor | None = None
_depth = 0  # batches that are drawn or being drawn at any time
_pending: dict[tuple, Future] = {}


@contextmanager
def workers(count: int, preload: str) -> Iterator[None]:
    """Within, `take` uses `count` processes; 0 means none. `preload` names the module whose functions are to draw."""
    global _pool, _depth
    if count:
        # A server that has imported the module and never touched the GPU: forking this process would copy its threads' locks.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([preload])
        _pool, _depth = ProcessPoolExecutor(count, context, _leave_with_parent), 2 * count
    try:
        yield
    finally:
        if _pool:
            _pool.shutdown(cancel_futures=True)
        _pool = None
        _pending.clear()


def _leave_with_parent() -> None:
    """A process that waits for work would outlive a training that is killed, since it holds the queue open itself."""
    parent = multiprocessing.parent_process()
    assert parent
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def take(draw: Callable[..., Drawn], number: int, *more: int) -> Drawn:
    """Gives `draw(number, *more)`, and has the numbers that follow drawn with the same `more`."""
    if _pool is None:
        return draw(number, *more)
    wanted = [(draw, number + index, *more) for index in range(_depth)]
    # What is no longer wanted: numbers that were passed over, and all of another stage or crop size.
    for key in _pending.keys() - set(wanted):
        _pending.pop(key).cancel()
    for key in wanted:
        if key not in _pending:
            _pending[key] = _pool.submit(*key)
    return _pending.pop(wanted[0]).result()
