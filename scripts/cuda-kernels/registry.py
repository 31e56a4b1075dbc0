"""The CUDA kernels of onnxruntime-gpu by its own registry: python registry.py, with the stubs on the loader's path.

Prints JSON: the operators of the standard and of com.microsoft for which the provider has a kernel at the opsets that
our graphs have, as `test/fixtures/cuda-kernels.json` holds them.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

OPSETS = {"": int(sys.argv[1]), "com.microsoft": int(sys.argv[2])}
NO_END = 2**31 - 1


def schemas() -> dict[tuple[str, str], Any]:
    """The schema of each operator that a graph of these opsets has."""
    newest: dict[tuple[str, str], Any] = {}
    for schema in state.get_all_operator_schema():
        key = (schema.domain, schema.name)
        if schema.since_version > OPSETS.get(schema.domain, 0):
            continue
        if key not in newest or newest[key].since_version < schema.since_version:
            newest[key] = schema
    return newest


def fits(kernel: Any, since: int) -> bool:
    """As the runtime decides: a kernel without an end is for the operator's version that it begins with, and no later."""
    first, last = kernel.version_range
    return first == since or (last != NO_END and first <= since <= last)


def parameters(formal: Any) -> list[str]:
    """Inputs or outputs as `name: type`; the last one of a variable number has three dots."""
    dots = {True: "...", False: ""}
    return [f"{one.name}{dots[one.option == type(one.option).Variadic]}: {one.typeStr}" for one in formal]


# ONNX's names of C's types.
WIDTHS = {"float": "float32", "double": "float64"}


def elements(types: list[str]) -> list[str]:
    """The element types of tensors; no graph of ours has a sequence or an optional."""
    found = [match[1] for name in types if (match := re.fullmatch(r"tensor\((\w+)\)", name))]
    return [WIDTHS.get(name, name) for name in found]


def main() -> None:
    known = schemas()
    kernels = [kernel for kernel in state.get_all_opkernel_def() if kernel.provider == "CUDAExecutionProvider"]
    operators: dict[str, Any] = {}
    for kernel in kernels:
        schema = known.get((kernel.domain, kernel.op_name))
        if schema is None or not fits(kernel, schema.since_version):
            continue
        name = ".".join(filter(None, [schema.domain, schema.name]))
        operator = operators.setdefault(
            name,
            {
                "since": schema.since_version,
                "inputs": parameters(schema.inputs),
                "outputs": parameters(schema.outputs),
                "kernels": [],
            },
        )
        first, last = kernel.version_range
        versions = [first, None if last == NO_END else last]
        types = {key: elements(value) for key, value in sorted(kernel.type_constraints.items())}
        operator["kernels"].append({"versions": versions, "types": types})
    for operator in operators.values():
        operator["kernels"].sort(key=json.dumps)
    print(
        json.dumps(
            {
                "source": {"package": "onnxruntime-gpu", "version": onnxruntime.__version__, "kernels": len(kernels)},
                "opsets": OPSETS,
                "operators": dict(sorted(operators.items())),
            }
        )
    )


if __name__ == "__main__":
    main()
