"""Gathers the Python packages that a GPU machine without a network lacks, into .cache/gpu/wheels.

Usage, from the repository's root: python scripts/remote-gpu/wheels.py
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parts import MIB
from plan import WHEELS

REQUIREMENTS = Path("scripts/requirements.txt")
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")

# Of what diffusers needs, what such a machine has beside torch and transformers.
THERE = {"filelock", "huggingface-hub", "numpy", "pillow", "regex", "requests", "safetensors", "zipp"}


def _needs(wheel: Path) -> list[str]:
    """The names in a wheel's Requires-Dist, without extras and what other Pythons need."""
    with ZipFile(wheel) as file:
        metadata = next(name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        lines = message_from_bytes(file.read(metadata)).get_all("Requires-Dist") or []
    target = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "sys_platform": "linux", "platform_machine": "x86_64"}
    needs = [Requirement(line) for line in lines]
    return [canonicalize_name(need.name) for need in needs if not need.marker or need.marker.evaluate(target | {"extra": ""})]


def _download(name: str, version: str, folder: Path) -> Path:
    before = set(folder.glob("*.whl"))
    platforms = [argument for platform in PLATFORMS for argument in ("--platform", platform)]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
         "--implementation", "cp", "--python-version", PYTHON, *platforms, "--dest", str(folder), f"{name}=={version}"],
        check=True,
    )  # fmt: skip
    return (set(folder.glob("*.whl")) - before).pop()


def gather() -> list[Path]:
    """Downloads diffusers in the version that this repository pins, and those of its needs that are not `THERE`."""
    pinned = re.search(r"^diffusers==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    assert pinned, f"{REQUIREMENTS} does not pin diffusers."
    fresh = WHEELS.with_name("wheels.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    wanted, seen = ["diffusers"], {"diffusers"}
    while wanted:
        name = wanted.pop()
        version = pinned[1] if name == "diffusers" else importlib.metadata.version(name)
        for need in _needs(_download(name, version, fresh)):
            if need not in seen and need not in THERE:
                seen.add(need)
                wanted.append(need)
    shutil.rmtree(WHEELS, ignore_errors=True)  # two versions of one package would stop its installation
    fresh.rename(WHEELS)
    return sorted(WHEELS.glob("*.whl"))


if __name__ == "__main__":
    for gathered in gather():
        print(f"{gathered.stat().st_size / MIB:6.2f} MiB  {gathered.name}")
