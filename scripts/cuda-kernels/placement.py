"""Which nodes of our graphs the CUDA provider leaves to the processor: python placement.py LIST, with the stubs on the loader's path.

LIST is a JSON file, [{"name", "model": ONNX file, "weights": folder of its external data, "isWideningDelayed",
"inputs": {name: shape} or null}]. Each graph is loaded as `src/runtime/session.ts` does; the runtime then says where it
put each node. With inputs, of zeros, it is also run, so that kernels check their arguments. Prints JSON, one line each:
{"name", "nodes": on CUDA, "left": {operator: count}, "isRun", "error": why it does not load or run, or null}. Of a run,
copies between the memories and nodes of the processor count as `left`, too.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy
import onnxruntime

CUDA = "CUDAExecutionProvider"
TYPES = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}


def loaded(graph: dict[str, Any], profile: Path | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    if profile:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    options.log_severity_level = 4
    options.enable_mem_pattern = False
    entries = {
        "session.model_external_initializers_file_folder_path": graph["weights"],
        "session.record_ep_graph_assignment_info": "1",
    }
    if graph["isWideningDelayed"]:
        entries["optimization.disable_specified_optimizers"] = "ConstantFolding;FuseFp16InitializerToFp32NodeTransformer"
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    session = onnxruntime.InferenceSession(Path(graph["model"]).read_bytes(), options, providers=[CUDA])
    # Otherwise a run that fails is repeated on the processor.
    session.disable_fallback()
    return session


def run(session: onnxruntime.InferenceSession, shapes: dict[str, list[int]]) -> Counter[str]:
    """What the run does elsewhere than on CUDA, by its own record."""
    session.run(None, {one.name: numpy.zeros(shapes[one.name], TYPES[one.type]) for one in session.get_inputs()})
    record = Path(session.end_profiling())
    kernels = [event["args"] for event in json.loads(record.read_text()) if event["name"].endswith("_kernel_time")]
    assert kernels, "The run has no record."
    return Counter(one["op_name"] for one in kernels if one["provider"] != CUDA or one["op_name"].startswith("Memcpy"))


def place(graph: dict[str, Any], folder: Path) -> dict[str, Any]:
    nodes, left = 0, Counter()
    try:
        session = loaded(graph, folder / "run" if graph["inputs"] is not None else None)
        for part in session.get_provider_graph_assignment_info():
            names = [".".join(filter(None, [node.domain, node.op_type])) for node in part.get_nodes()]
            if part.ep_name == CUDA:
                nodes += len(names)
            else:
                left.update(names)
        if graph["inputs"] is not None:
            left.update(run(session, graph["inputs"]))
        error = None
    except Exception as reason:  # noqa: BLE001
        error = str(reason)
    is_run = graph["inputs"] is not None and error is None
    return {"name": graph["name"], "nodes": nodes, "left": dict(left), "isRun": is_run, "error": error}


def main() -> None:
    onnxruntime.set_default_logger_severity(4)
    with tempfile.TemporaryDirectory() as folder:
        for graph in json.loads(Path(sys.argv[1]).read_text()):
            print(json.dumps(place(graph, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
