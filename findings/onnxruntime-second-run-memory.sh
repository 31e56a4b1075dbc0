#!/usr/bin/env bash
# onnxruntime 1.30.0, CPU provider.
#
# With memory patterns, which are on by default, a session takes more memory in its second run than in its first, for the same
# input: the first one only records which buffers it needs, and the second one allocates all of them in one piece, beside those that
# the arena keeps from the first. Memory that was measured in one run is therefore too little for two; without patterns
# (enable_mem_pattern) it stays.
#
# Output on 2026-11-30 (the first run takes 203 MB, the second 335 MB with patterns):
#   with patterns:    the second run adds 128 MB
#   without patterns: the second run adds 0 MB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >memory.py <<'PYTHON'
import resource
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

# Sums and products in turn over 64 MB, of which a few are alive at a time.
nodes = [helper.make_node("Mul" if i % 2 else "Add", [f"x{i}"] * 2, [f"x{i + 1}"]) for i in range(16)]
nodes.append(helper.make_node("ReduceSum", ["x16"], ["sum"], keepdims=0))
inputs = [helper.make_tensor_value_info("x0", TensorProto.FLOAT, ["rows", 1024])]
outputs = [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [])]
graph = helper.make_graph(nodes, "chain", inputs, outputs)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

options = onnxruntime.SessionOptions()
options.enable_mem_pattern = sys.argv[1] == "with"
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
numbers = np.zeros((16384, 1024), np.float32)
peaks = []
for _ in range(2):
    session.run(None, {"x0": numbers})
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
name = f"{sys.argv[1]} patterns:"
print(f"{name:17} the second run adds {round((peaks[1] - peaks[0]) / 64) * 64} MB")
PYTHON

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.30.0 onnx==1.20.0
(python/bin/python memory.py with && python/bin/python memory.py without) | tee found
diff found - <<'EXPECTED'
with patterns:    the second run adds 128 MB
without patterns: the second run adds 0 MB
EXPECTED
