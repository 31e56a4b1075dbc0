"""Libraries with which onnxruntime's CUDA provider loads on a machine without a GPU, compiled by the machine's C compiler.

Each library that the provider needs of NVIDIA is written with the functions that are taken of it, in the version that is
asked for. `no-gpu.c` has those that must do something; all others return 0.

Usage: python stubs.py FOLDER, where onnxruntime-gpu is installed; FOLDER is then to be on the loader's path.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

SOURCE = Path(__file__).with_name("no-gpu.c")
# What the two providers are linked with; the names of functions without a version say whose they are.
UNVERSIONED = {
    "libcuda.so.1": r"cu[A-Z]\w+",
    "libcurand.so.10": r"curand\w+",
    "libnvinfer.so.10": r"createInfer\w+|getInferLibVersion|getPluginRegistry",
    "libnvonnxparser.so.10": r"createNvOnnx\w+",
}
# These hold a call that `no-gpu.c` answers.
WITH_SOURCE = ("libcudart", "libcublas", "libcudnn")
# The provider opens cuDNN when a kernel first needs it, and looks its functions up by name.
CUDNN = ("libcudnn.so.9", rb"\0(cudnn[A-Z]\w+)(?=\0)")


def wanted(libraries: list[Path]) -> dict[str, set[str]]:
    """The functions that `libraries` take of each library."""
    found: dict[str, set[str]] = defaultdict(set, {library: set() for library in UNVERSIONED})
    for provider in libraries:
        listed = subprocess.run(["nm", "-D", "--undefined-only", provider], capture_output=True, text=True, check=True)
        for name in (line.split()[-1] for line in listed.stdout.splitlines()):
            if versioned := re.fullmatch(r"(\w+)@(lib(?:cu|nv)\S+)", name):
                found[versioned[2]].add(versioned[1])
            for library, pattern in UNVERSIONED.items():
                if re.fullmatch(pattern, name):
                    found[library].add(name)
        library, pattern = CUDNN
        found[library].update(name.decode() for name in re.findall(pattern, provider.read_bytes()))
    return found


def providers() -> list[Path]:
    """Those of onnxruntime-gpu, which is not imported: it would look for the libraries."""
    package = importlib.util.find_spec("onnxruntime")
    assert package and package.origin, "onnxruntime-gpu is not installed."
    return sorted((Path(package.origin).parent / "capi").glob("libonnxruntime_providers_*.so"))


def build(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for library, functions in wanted(providers()).items():
        code, versions = folder / f"{library}.c", folder / f"{library}.map"
        code.write_text("".join(f"__attribute__((weak)) long {name}(void) {{ return 0; }}\n" for name in sorted(functions)))
        versions.write_text(f"{library} {{ global: *; }};\n")
        sources = [code, SOURCE] if library.startswith(WITH_SOURCE) else [code]
        named = [] if library in UNVERSIONED else [f"-Wl,--version-script={versions}"]
        options = ["-shared", "-fPIC", "-O1", "-w", f"-Wl,-soname,{library}", *named]
        subprocess.run(["gcc", *options, "-o", folder / library, *sources], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
