"""Which nodes of our graphs the CUDA provider leaves to the processor: python placement.py LIST, with the stubs on the loader's path.

LIST is a JSON file, [{"name", "model": ONNX file, "weights": folder of its external data, "isWideningDelayed",
"inputs": {name: shape} or null}]. Each graph is loaded as `src/runtime/session.ts` does; the runtime then says where it
put each node. With inputs, of zeros, it is also run, so that kernels check their arguments. Prints JSON, one line each:
{"name", "nodes": on CUDA, "left": {operator: count}, "error": why it does not load or run, or null}.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy
import onnxruntime

CUDA = "CUDAExecutionProvider"
TYPES = {"tensor(float)": numpy.float32, "tensor(int64)": numpy.int64}


def loaded(graph: dict[str, Any]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
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


def place(graph: dict[str, Any]) -> dict[str, Any]:
    nodes, left = 0, Counter()
    try:
        session = loaded(graph)
        for part in session.get_provider_graph_assignment_info():
            names = [".".join(filter(None, [node.domain, node.op_type])) for node in part.get_nodes()]
            if part.ep_name == CUDA:
                nodes += len(names)
            else:
                left.update(names)
        if graph["inputs"] is not None:
            shapes = graph["inputs"]
            session.run(None, {one.name: numpy.zeros(shapes[one.name], TYPES[one.type]) for one in session.get_inputs()})
        error = None
    except Exception as reason:  # noqa: BLE001
        error = str(reason)
    return {"name": graph["name"], "nodes": nodes, "left": dict(left), "error": error}


def main() -> None:
    onnxruntime.set_default_logger_severity(4)
    for graph in json.loads(Path(sys.argv[1]).read_text()):
        print(json.dumps(place(graph)), flush=True)


if __name__ == "__main__":
    main()
