"""The calls that the benchmark makes on a borrowed machine with one GPU: what each carries and takes.

Usage: python3 bench/gpu/plan.py --plan [--json]

Such a machine is lent for minutes, has no network, runs one command at a time for ten minutes at most, takes 64 MiB with
each, the working tree included, and keeps its disk while commands follow each other within half a minute. The minutes
are reckoned: none of this was run on a GPU yet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from training.gpu.parts import MIB  # noqa: E402
from training.gpu.plan import MOST_CALL_MINUTES, MOST_CARRIED_MIB, MOST_WORK_MINUTES, START_MINUTES  # noqa: E402

PARTS = Path(".cache/gpu/bench/parts")
# What the calls need of the working tree; the checkpoint that is compared travels in the parts.
SPARSE = ("bench", "training/gpu")
SPARSE_ON = f"git sparse-checkout set {' '.join(SPARSE)}"
SPARSE_OFF = "git sparse-checkout disable"
TAKE_MINUTES = 0.6
WORK = (
    ("parity", "parity", 3.0),
    ("weights and PyTorch", "weights pytorch", 5.0),
    ("steps", "step report", 8.0),
)
COMES_BACK = {
    "checkpoint.tar.00": "results so far: parity.json, weights.json, pytorch.json, step.json, report.json, pictures",
    "SHA256SUMS": "the checksums of the parts and the whole",
    "join.sh": "checks, joins and unpacks them",
}


@dataclass(frozen=True)
class Call:
    name: str
    command: str
    minutes: float
    # Carried on top of the sparse working tree.
    carry: tuple[str, ...]
    carried_mib: float


@dataclass(frozen=True)
class Plan:
    tree_mib: float
    calls: tuple[Call, ...]

    @property
    def work_minutes(self) -> float:
        return round(sum(call.minutes for call in self.calls), 2)


def make(tree_bytes: int, parts: dict[str, int]) -> Plan:
    """`parts` are the folders that are carried, one a call, and their bytes. Refuses what such a machine would."""
    tree = tree_bytes / MIB
    takes = [
        Call(f"part {number} of {len(parts)}", f"sh bench/gpu.sh take {folder}", TAKE_MINUTES, (folder,), tree + size / MIB)
        for number, (folder, size) in enumerate(sorted(parts.items()), 1)
    ]
    work = [Call(name, f'sh bench/gpu.sh there "$OUT" {stages}', minutes, (), tree) for name, stages, minutes in WORK]
    plan = Plan(tree, (*takes, *work))
    for call in plan.calls:
        if call.carried_mib > MOST_CARRIED_MIB:
            raise SystemExit(
                f"{call.name} would carry {call.carried_mib:.1f} MiB, {tree:.1f} of them the working tree, "
                f"and at most {MOST_CARRIED_MIB} MiB can be carried."
            )
        if call.minutes > MOST_CALL_MINUTES:
            raise SystemExit(f"{call.name} would take {call.minutes:g} minutes, and at most {MOST_CALL_MINUTES} are safe.")
    if plan.work_minutes > MOST_WORK_MINUTES:
        raise SystemExit(f"The calls would take {plan.work_minutes:g} minutes, and at most {MOST_WORK_MINUTES} are meant for them.")
    return plan


def sparse_tree_bytes() -> int:
    """What git tracks and does not ignore in the folders of `SPARSE` and, as a sparse checkout keeps them, at the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True, capture_output=True, cwd=ROOT
    )
    names = {name for name in listed.stdout.decode().split("\0") if name}
    # A folder in between, such as training, keeps the files that lie in it directly.
    between = {str(parent) for folder in SPARSE for parent in Path(folder).parents}
    kept = [name for name in names if str(Path(name).parent) in between or name.startswith(tuple(f"{folder}/" for folder in SPARSE))]
    return sum((ROOT / name).lstat().st_size for name in kept if (ROOT / name).is_file() and not (ROOT / name).is_symlink())


def part_bytes() -> dict[str, int]:
    folders = sorted((ROOT / PARTS).glob("[0-9][0-9]"))
    if not folders:
        raise SystemExit("What has to be carried is not here yet: run `sh bench/gpu.sh prepare` first.")
    return {(PARTS / folder.name).as_posix(): sum(path.stat().st_size for path in folder.iterdir()) for folder in folders}


def as_json(plan: Plan) -> str:
    whole = asdict(plan) | {"most_carried_mib": MOST_CARRIED_MIB, "work_minutes": plan.work_minutes, "start_minutes": START_MINUTES}
    return json.dumps(whole | {"before": SPARSE_ON, "after": SPARSE_OFF, "comes_back": COMES_BACK}, indent=2)


def as_text(plan: Plan) -> str:
    lines = [
        f"{len(plan.calls)} calls, {plan.work_minutes:g} minutes of work and about {START_MINUTES} for the machine's start. Not run on a GPU yet.",
        f"Before: {SPARSE_ON}   so that the working tree that travels has {plan.tree_mib:.1f} MiB.",
        "Run them in this order from the repository's root on the machine, each within half a minute of the one before.",
        "",
    ]
    for number, call in enumerate(plan.calls, 1):
        carried = f"{call.carried_mib:.1f} of at most {MOST_CARRIED_MIB} MiB"
        lines.append(f"{number}. {call.name}, {call.minutes:g} minutes, {carried}{''.join(f', carrying {name}' for name in call.carry)}:")
        lines += [f"   {call.command}", ""]
    lines.append("Those that are no parts leave in $OUT:")
    lines += [f"   {name:<20}{what}" for name, what in COMES_BACK.items()]
    lines += ["", f"At home: {SPARSE_OFF}, then sh FOLDER/join.sh out/gpu"]
    return "\n".join(lines)


if __name__ == "__main__":
    made = make(sparse_tree_bytes(), part_bytes())
    print(as_json(made) if "--json" in sys.argv else as_text(made))
