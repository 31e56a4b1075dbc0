"""Draws the batches that come next in processes of its own, since one core draws slower than a GPU learns.

A batch is a pure function of its number, so the batches are those that the training process would draw itself.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

Drawn = TypeVar("Drawn")

MEMORY = Path("/dev/shm")  # used where it has this many bytes free, because its files never reach a disk
MEMORY_BYTES = 8 * 2**30

_pool: ProcessPoolExecutor | None = None
_folder = ""  # where the processes leave what they drew
_depth = 0  # batches that are drawn or being drawn at any time
_pending: dict[tuple, Future] = {}


@contextmanager
def workers(count: int, preload: str) -> Iterator[None]:
    """Within, `take` uses `count` processes; 0 means none. `preload` names a module that imports the functions that draw."""
    global _pool, _folder, _depth
    if count:
        # A server that has imported the module and never touched the GPU: forking this process would copy its threads' locks.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([preload])
        is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
        _folder = tempfile.mkdtemp(prefix="retouch-", dir=MEMORY if is_roomy else None)
        _pool, _depth = ProcessPoolExecutor(count, context, _leave_with_parent, (_folder,)), 2 * count
    try:
        yield
    finally:
        if _pool:
            _pool.shutdown(cancel_futures=True)
            shutil.rmtree(_folder, ignore_errors=True)
        _pool = None
        _pending.clear()


def take(draw: Callable[..., Drawn], number: int, *more: int) -> Drawn:
    """Returns `draw(number, *more)`, and has the following numbers drawn with the same `more`."""
    if _pool is None:
        return draw(number, *more)
    wanted = [(draw, number + index, *more) for index in range(_depth)]
    # Numbers that were skipped, and those of another stage or crop size, are no longer wanted.
    for key in _pending.keys() - set(wanted):
        _drop(_pending.pop(key))
    for key in wanted:
        if key not in _pending:
            _pending[key] = _pool.submit(_lay_down, _folder, *key)
    return _pick_up(*_pending.pop(wanted[0]).result())


def _leave_with_parent(folder: str) -> None:
    """Ends this process with its parent: it holds the queue open itself, so it would outlive a training that is killed."""
    parent = multiprocessing.parent_process()
    assert parent

    def watch() -> None:
        wait([parent.sentinel])
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _lay_down(folder: str, draw: Callable[..., Any], *arguments: int) -> tuple[str, bytes, list[int]]:
    """Draws, and leaves the arrays in a file, because a pipe would cost the training process a tenth of a second."""
    buffers: list[pickle.PickleBuffer] = []
    small = pickle.dumps(draw(*arguments), protocol=5, buffer_callback=buffers.append)
    descriptor, path = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "wb") as file:
        for buffer in buffers:
            file.write(buffer.raw())
    return path, small, [buffer.raw().nbytes for buffer in buffers]


def _pick_up(path: str, small: bytes, sizes: list[int]) -> Any:
    """Returns what was drawn. Its arrays are views of the file, which disappears with them."""
    with open(path, "rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    os.unlink(path)
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return pickle.loads(small, buffers=[whole[start : start + size] for start, size in zip(starts, sizes, strict=True)])


def _drop(future: Future) -> None:
    future.cancel()
    future.add_done_callback(lambda done: done.cancelled() or done.exception() or os.unlink(done.result()[0]))
