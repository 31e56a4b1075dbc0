"""What a training on a borrowed GPU machine will cost and carry, before anything is spent.

Such a machine is lent for minutes, has no network, runs one command at a time for ten minutes at most, and keeps its
disk between commands only while they follow each other within half a minute.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from training.gpu.parts import MIB
from training.gpu.wheels import WHEELS

MOST_CARRIED_MIB = 64
MOST_CALL_MINUTES = 9  # of ten, so that the end of a slice is never cut off
MOST_WORK_MINUTES = 25

SLICES = 3
SLICE_MINUTES = 6.8
AROUND_MINUTES = 0.5  # a slice's installation before, its export and sheet after
PROBE_MINUTES = 3
START_MINUTES = 2

INSTALL = f"python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site {WHEELS}/*.whl"
TRAIN = "PYTHONUNBUFFERED=1 PYTHONPATH=/tmp/site python3 -m training.train --preset gpu --from checkpoints/tiny"
COMES_BACK = {
    "checkpoint.tar.00 ...": "the checkpoint so far, in parts of at most 15 MiB",
    "SHA256SUMS": "the checksums of the parts and the whole",
    "join.sh": "checks, joins and unpacks them",
    "log.jsonl": "the losses, the autoencoder's dB, how far each stage is",
    "sheet.png": "the example picture edited with a fixed list of instructions",
}


@dataclass(frozen=True)
class Call:
    name: str
    command: str
    minutes: float


@dataclass(frozen=True)
class Plan:
    tree_mib: float
    wheels_mib: float
    calls: tuple[Call, ...]

    @property
    def carried_mib(self) -> float:
        return self.tree_mib + self.wheels_mib

    @property
    def work_minutes(self) -> float:
        return sum(call.minutes for call in self.calls)


def make(tree_bytes: int, wheel_bytes: int, slice_minutes: float = SLICE_MINUTES) -> Plan:
    """A probe that runs every stage for moments, then the slices. Refuses what such a machine would."""
    calls = [Call("probe", f'{INSTALL} && {TRAIN} --restart --minutes 0.5 --slice-minutes 4 --parts "$OUT"', PROBE_MINUTES)]
    for number in range(SLICES):
        options = f'--slice-minutes {slice_minutes:g} --slices-left {SLICES - number} --parts "$OUT"'
        command = f"{INSTALL} && {TRAIN} {'' if number else '--restart '}{options}"
        calls.append(Call(f"slice {number + 1} of {SLICES}", command, round(slice_minutes + AROUND_MINUTES, 2)))
    plan = Plan(tree_bytes / MIB, wheel_bytes / MIB, tuple(calls))
    if plan.carried_mib > MOST_CARRIED_MIB:
        raise SystemExit(
            f"A call would carry {plan.carried_mib:.1f} MiB ({plan.tree_mib:.1f} of the working tree, {plan.wheels_mib:.1f} of wheels), "
            f"and at most {MOST_CARRIED_MIB} MiB can be carried."
        )
    longest = max(call.minutes for call in plan.calls)
    if longest > MOST_CALL_MINUTES:
        raise SystemExit(f"A call would take {longest:g} minutes with what is around its slice, and at most {MOST_CALL_MINUTES} are safe.")
    if plan.work_minutes > MOST_WORK_MINUTES:
        raise SystemExit(f"The calls would take {plan.work_minutes:g} minutes, and at most {MOST_WORK_MINUTES} are meant for them.")
    return plan


def tree_bytes() -> int:
    """The bytes of what git tracks, as it lies in the working tree, and of new files that it does not ignore."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True)
    paths = {Path(name) for name in listed.stdout.decode().split("\0") if name}
    return sum(path.lstat().st_size for path in paths if path.is_file() or path.is_symlink())


def wheel_bytes() -> int:
    wheels = list(WHEELS.glob("*.whl"))
    if not wheels:
        raise SystemExit("The wheels to carry are not here yet: run `python -m training.gpu prepare` first.")
    return sum(wheel.stat().st_size for wheel in wheels)


def as_json(plan: Plan) -> str:
    whole = asdict(plan) | {"carried_mib": plan.carried_mib, "most_carried_mib": MOST_CARRIED_MIB, "carry": [str(WHEELS)]}
    whole |= {"work_minutes": plan.work_minutes, "start_minutes": START_MINUTES, "comes_back": COMES_BACK}
    return json.dumps(whole, indent=2)


def as_text(plan: Plan) -> str:
    lines = [
        f"{len(plan.calls)} calls, {plan.work_minutes:.1f} minutes of work and about {START_MINUTES} for the machine's start.",
        f"Each carries {plan.carried_mib:.1f} of at most {MOST_CARRIED_MIB} MiB: "
        f"the working tree, {plan.tree_mib:.1f}, and {WHEELS}, {plan.wheels_mib:.1f}.",
        "Run them in this order from the repository's root on the machine, each within half a minute of the one before.",
        "",
    ]
    for number, call in enumerate(plan.calls, 1):
        lines += [f"{number}. {call.name}, {call.minutes:.1f} minutes, {plan.carried_mib:.1f} MiB:", f"   {call.command}", ""]
    lines.append("Each leaves in $OUT, at most 8 files:")
    lines += [f"   {name:<22}{what}" for name, what in COMES_BACK.items()]
    lines += [
        "",
        "At home: sh FOLDER/join.sh out/joined, then cp -R out/joined/. checkpoints/tiny/",
        "If the machine went away between two calls, do that at once: the next finds no state and begins from checkpoints/tiny.",
    ]
    return "\n".join(lines)


def show(is_json: bool, slice_minutes: float | None) -> None:
    plan = make(tree_bytes(), wheel_bytes(), slice_minutes or SLICE_MINUTES)
    print(as_json(plan) if is_json else as_text(plan))
