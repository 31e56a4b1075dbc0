"""Starts a command on a terminal and takes the time until it shows a text, then ends it.

Prints {"seconds", "cpuSeconds"} or {"error"} as one JSON line; the latter are the processor's.

Usage: python bench/peers/first_step.py TEXT COMMAND ARGUMENTS...
"""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import sys
import time


def main() -> None:
    wanted, *command = sys.argv[1:]
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""
    while wanted.encode() not in shown:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # The terminal closes with its last program.
            part = b""
        if not part:
            os.waitpid(child, 0)
            print(json.dumps({"error": shown.decode(errors="replace")[-2000:]}))
            return
        shown += part
    seconds = time.perf_counter() - started
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"seconds": seconds, "cpuSeconds": usage.ru_utime + usage.ru_stime}))


if __name__ == "__main__":
    main()
