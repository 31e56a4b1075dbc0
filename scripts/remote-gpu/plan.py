"""What a training or the GPU benchmark will carry to a borrowed machine, and what it will take, before anything is spent.

Usage: python scripts/remote-gpu/plan.py training [--slice-minutes MINUTES] [--json]
       python scripts/remote-gpu/plan.py bench [--parts FOLDER] [--json]

Such a machine is lent for minutes, has no network, runs one command at a time for ten minutes at most, takes 64 MiB with
each, the working tree included, and keeps its disk only while commands follow each other within half a minute. The
minutes are estimates: nothing here has run on a GPU yet.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from parts import MIB

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "scripts/remote-gpu"
WHEELS = Path(".cache/gpu/wheels")

MOST_CARRIED_MIB = 64
MOST_CALL_MINUTES = 9  # of ten, so that the end of a call is never cut off
MOST_WORK_MINUTES = 25
START_MINUTES = 2

CHECKS = {
    "SHA256SUMS": "the checksums of the parts and the whole",
    "join.sh": "checks, joins and unpacks them",
}

# A training: a probe, then slices.
SLICES = 3
SLICE_MINUTES = 6.8
AROUND_MINUTES = 0.5  # a slice's installation before, its export and sheet after
PROBE_MINUTES = 3
INSTALL = f"python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site {WHEELS}/*.whl"
TRAIN = f"PYTHONUNBUFFERED=1 PYTHONPATH=/tmp/site python3 {FOLDER}/train.py --from checkpoints/tiny"
TRAINING_COMES_BACK = {
    "checkpoint.tar.00 ...": "the checkpoint so far, in parts of at most 15 MiB",
    **CHECKS,
    "log.jsonl": "the losses, the autoencoder's dB, how far each stage is",
    "sheet.png": "the example picture edited with a fixed list of instructions",
}

# The benchmark: one call for each part of the bundle, then its stages.
PARTS = ROOT / ".cache/gpu/bench/parts"
# What the calls need of the working tree; the checkpoint that is compared travels in the parts.
SPARSE = ("bench", FOLDER)
SPARSE_ON = f"git sparse-checkout set {' '.join(SPARSE)}"
SPARSE_OFF = "git sparse-checkout disable"
TAKE_MINUTES = 0.6
WORK = (
    ("parity", "parity", 3.0),
    ("weights and PyTorch", "weights pytorch", 5.0),
    ("steps", "step report", 8.0),
)
BENCH_COMES_BACK = {
    "checkpoint.tar.00": "results so far: parity.json, weights.json, pytorch.json, step.json, report.json, pictures",
    **CHECKS,
}


@dataclass(frozen=True)
class Call:
    name: str
    command: str
    minutes: float
    # What travels with the call beside the working tree.
    carry: tuple[str, ...]
    carried_mib: float


@dataclass(frozen=True)
class Plan:
    tree_mib: float
    calls: tuple[Call, ...]

    @property
    def work_minutes(self) -> float:
        return round(sum(call.minutes for call in self.calls), 2)


def checked(plan: Plan) -> Plan:
    """Refuses what such a machine would refuse."""
    for call in plan.calls:
        if call.carried_mib > MOST_CARRIED_MIB:
            raise SystemExit(
                f"{call.name} would carry {call.carried_mib:.1f} MiB, {plan.tree_mib:.1f} of them the working tree, "
                f"and at most {MOST_CARRIED_MIB} MiB can be carried."
            )
        if call.minutes > MOST_CALL_MINUTES:
            raise SystemExit(f"{call.name} would take {call.minutes:g} minutes, and at most {MOST_CALL_MINUTES} are safe.")
    if plan.work_minutes > MOST_WORK_MINUTES:
        raise SystemExit(f"The calls would take {plan.work_minutes:g} minutes, and at most {MOST_WORK_MINUTES} are meant for them.")
    return plan


def training(tree_bytes: int, wheel_bytes: int, slice_minutes: float = SLICE_MINUTES) -> Plan:
    """A probe that runs every stage for moments, then the slices."""
    carried = (tree_bytes + wheel_bytes) / MIB
    wheels = (str(WHEELS),)
    probe = f'{INSTALL} && {TRAIN} --restart --minutes 0.5 --slice-minutes 4 --parts "$OUT"'
    calls = [Call("probe", probe, PROBE_MINUTES, wheels, carried)]
    for number in range(SLICES):
        options = f'--slice-minutes {slice_minutes:g} --slices-left {SLICES - number} --parts "$OUT"'
        command = f"{INSTALL} && {TRAIN} {'' if number else '--restart '}{options}"
        calls.append(Call(f"slice {number + 1} of {SLICES}", command, round(slice_minutes + AROUND_MINUTES, 2), wheels, carried))
    return checked(Plan(tree_bytes / MIB, tuple(calls)))


def bench(tree_bytes: int, parts: dict[str, int]) -> Plan:
    """`parts` are the folders that are carried, one per call, and their bytes."""
    tree = tree_bytes / MIB
    takes = [
        Call(f"part {number} of {len(parts)}", f"sh {FOLDER}/bench.sh take {folder}", TAKE_MINUTES, (folder,), tree + size / MIB)
        for number, (folder, size) in enumerate(sorted(parts.items()), 1)
    ]
    work = [Call(name, f'sh {FOLDER}/bench.sh run "$OUT" {stages}', minutes, (), tree) for name, stages, minutes in WORK]
    return checked(Plan(tree, (*takes, *work)))


def tracked_files(root: Path = ROOT) -> list[str]:
    """What git tracks and the new files that it does not ignore, as far as they are in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, cwd=root).stdout.decode()
    names = {name for name in listed.split("\0") if name}
    return sorted(name for name in names if (root / name).is_file() or (root / name).is_symlink())


def bytes_of(names: Iterable[str], root: Path = ROOT) -> int:
    return sum((root / name).lstat().st_size for name in names)


def sparse_files() -> list[str]:
    """The tracked files in the folders of `SPARSE` and, as a sparse checkout keeps them, in the folders above those."""
    above = {str(parent) for folder in SPARSE for parent in Path(folder).parents}
    inside = tuple(f"{folder}/" for folder in SPARSE)
    return [name for name in tracked_files() if str(Path(name).parent) in above or name.startswith(inside)]


def wheel_bytes() -> int:
    wheels = list((ROOT / WHEELS).glob("*.whl"))
    if not wheels:
        raise SystemExit(f"There are no wheels to carry yet: run `python {FOLDER}/wheels.py` first.")
    return sum(wheel.stat().st_size for wheel in wheels)


def part_bytes(parts: Path = PARTS) -> dict[str, int]:
    """The bytes of each part's folder, by its place below the repository's root, as far as it is there."""
    folders = sorted(parts.absolute().glob("[0-9][0-9]"))
    if not folders:
        raise SystemExit(f"There are no parts to carry yet: run `node scripts/run-ts.mjs {FOLDER}/pack.ts` first.")
    places = {folder: folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder for folder in folders}
    return {place.as_posix(): sum(path.stat().st_size for path in folder.iterdir()) for folder, place in places.items()}


def as_json(plan: Plan, **more: object) -> str:
    whole = asdict(plan) | {"most_carried_mib": MOST_CARRIED_MIB, "work_minutes": plan.work_minutes, "start_minutes": START_MINUTES}
    return json.dumps(whole | more, indent=2)


def as_text(plan: Plan, before: list[str], comes_back: dict[str, str], after: list[str]) -> str:
    lines = [
        f"{len(plan.calls)} calls, {plan.work_minutes:g} minutes of work and about {START_MINUTES} for the machine's start. Not run on a GPU yet.",
        *before,
        "Run them in this order from the repository's root on the machine, each within half a minute of the one before.",
        "",
    ]
    for number, call in enumerate(plan.calls, 1):
        carried = f"{call.carried_mib:.1f} of at most {MOST_CARRIED_MIB} MiB"
        lines.append(f"{number}. {call.name}, {call.minutes:g} minutes, {carried}{''.join(f', carrying {name}' for name in call.carry)}:")
        lines += [f"   {call.command}", ""]
    lines.append("What comes back in $OUT:")
    lines += [f"   {name:<22}{what}" for name, what in comes_back.items()]
    return "\n".join([*lines, "", *after])


def training_text(plan: Plan) -> str:
    after = [
        "At home: sh FOLDER/join.sh out/joined, then cp -R out/joined/. checkpoints/tiny/",
        "If the machine went away between two calls, do that at once: the next finds no state and begins from checkpoints/tiny.",
    ]
    return as_text(plan, [], TRAINING_COMES_BACK, after)


def bench_text(plan: Plan) -> str:
    before = [f"Before: {SPARSE_ON}   so that the working tree that travels has {plan.tree_mib:.1f} MiB."]
    return as_text(plan, before, BENCH_COMES_BACK, [f"At home: {SPARSE_OFF}, then sh FOLDER/join.sh out/gpu"])


def bench_json(plan: Plan) -> str:
    return as_json(plan, before=SPARSE_ON, after=SPARSE_OFF, comes_back=BENCH_COMES_BACK)


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python {FOLDER}/plan.py", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("training", "bench"))
    parser.add_argument("--slice-minutes", type=float, default=SLICE_MINUTES, help=f"of a training (default {SLICE_MINUTES})")
    parser.add_argument("--parts", type=Path, default=PARTS, help="where pack.ts left the benchmark's bundle (default .cache/gpu/bench/parts)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.what == "training":
        plan = training(bytes_of(tracked_files()), wheel_bytes(), arguments.slice_minutes)
        print(as_json(plan, comes_back=TRAINING_COMES_BACK) if arguments.json else training_text(plan))
    else:
        plan = bench(bytes_of(sparse_files()), part_bytes(arguments.parts))
        print(bench_json(plan) if arguments.json else bench_text(plan))


if __name__ == "__main__":
    main()
