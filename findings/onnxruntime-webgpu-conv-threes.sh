#!/usr/bin/env bash
# onnxruntime-node 1.30.0, WebGPU provider, on the Vulkan device in software of Debian's chromium.
#
# A convolution with a kernel larger than 1 x 1 gives other numbers than on the CPU, and no error, where its input channels are a
# multiple of three above three but not of four, and its output channels a multiple of four. The same input with 5 or 8 channels, or
# with 6 and an output channel fewer, is right. Zeros as further input channels, up to a multiple of four, avoid it.
#
# Output on 2026-11-30:
#   3 -> 4 channels: equal
#   5 -> 4 channels: equal
#   6 -> 3 channels: equal
#   6 -> 4 channels: another result
#   8 -> 4 channels: equal
#   9 -> 8 channels: another result
#   12 -> 8 channels: equal
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >models.py <<'PYTHON'
import numpy as np
from onnx import TensorProto, helper, numpy_helper

wave = lambda *shape: np.sin(1.7 * np.arange(np.prod(shape))).astype(np.float32).reshape(shape)
for channels, out in [(3, 4), (5, 4), (6, 3), (6, 4), (8, 4), (9, 8), (12, 8)]:
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, out, 8, 8])],
        [numpy_helper.from_array(wave(out, channels, 3, 3), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    open(f"{channels}-{out}.onnx", "wb").write(model.SerializeToString())
PYTHON

cat >run.cjs <<'JAVASCRIPT'
const { InferenceSession, Tensor } = require("onnxruntime-node");
(async () => {
  for (const [channels, out] of [[3, 4], [5, 4], [6, 3], [6, 4], [8, 4], [9, 8], [12, 8]]) {
    const data = Float32Array.from({ length: channels * 64 }, (_, index) => Math.cos(0.9 * index));
    const results = [];
    for (const provider of ["cpu", "webgpu"]) {
      const session = await InferenceSession.create(`${channels}-${out}.onnx`, { executionProviders: [provider] });
      results.push((await session.run({ x: new Tensor("float32", data, [1, channels, 8, 8]) })).y.data);
    }
    const [cpu, webgpu] = results;
    const largest = Math.max(...cpu.map((value, index) => Math.abs(value - webgpu[index])));
    console.log(`${channels} -> ${out} channels: ${largest < 1e-4 ? "equal" : "another result"}`);
  }
  process.exit(0);
})();
JAVASCRIPT

apt-get download -qq chromium chromium-common >/dev/null 2>&1
for package in *.deb; do dpkg -x "$package" device; done
driver=$PWD/device/usr/lib/chromium
# The driver's description names its library relative to itself.
export LD_LIBRARY_PATH=$driver VK_ICD_FILENAMES=$driver/vk_swiftshader_icd.json VK_DRIVER_FILES=$driver/vk_swiftshader_icd.json
npm install --silent --ignore-scripts --no-audit --no-fund onnxruntime-node@1.30.0 >/dev/null
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check onnx==1.20.0
python/bin/python models.py
node run.cjs | tee found
diff found - <<'EXPECTED'
3 -> 4 channels: equal
5 -> 4 channels: equal
6 -> 3 channels: equal
6 -> 4 channels: another result
8 -> 4 channels: equal
9 -> 8 channels: another result
12 -> 8 channels: equal
EXPECTED
