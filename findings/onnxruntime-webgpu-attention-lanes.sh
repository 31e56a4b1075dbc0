#!/usr/bin/env bash
# onnxruntime-node 1.30.0, WebGPU provider, on the Vulkan device in software of Debian's chromium, whose subgroups have four lanes.
#
# MultiHeadAttention gives other numbers than on the CPU, and no error, from 32 queries on; up to 31 it is right. A bias on the scores,
# even of zeros, changes nothing about that.
#
# Output on 2026-11-30:
#   31 queries: equal
#   31 queries, a bias of zeros: equal
#   32 queries: another result
#   32 queries, a bias of zeros: another result
#   100 queries: another result
#   100 queries, a bias of zeros: another result
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >model.py <<'PYTHON'
from onnx import TensorProto, helper

tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
for name, bias in [("plain", []), ("biased", ["", "", "bias"])]:  # the sixth input is added to the scores
    graph = helper.make_graph(
        [helper.make_node("MultiHeadAttention", ["q", "k", "v", *bias], ["y"], domain="com.microsoft", num_heads=2)],
        "attention",
        [*(tensor(one, [1, "rows", 128]) for one in "qkv"), *([tensor("bias", [1, 1, "rows", "rows"])] if bias else [])],
        [tensor("y", [1, "rows", 128])],
    )
    versions = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    open(f"{name}.onnx", "wb").write(helper.make_model(graph, opset_imports=versions, ir_version=10).SerializeToString())
PYTHON

cat >run.cjs <<'JAVASCRIPT'
const { InferenceSession, Tensor } = require("onnxruntime-node");
(async () => {
  for (const [rows, name] of [[31, "plain"], [31, "biased"], [32, "plain"], [32, "biased"], [100, "plain"], [100, "biased"]]) {
    const tensor = (speed) => {
      const data = Float32Array.from({ length: rows * 128 }, (_, index) => Math.cos(speed * index));
      return new Tensor("float32", data, [1, rows, 128]);
    };
    const feeds = { q: tensor(0.9), k: tensor(1.3), v: tensor(1.7) };
    if (name === "biased") feeds.bias = new Tensor("float32", new Float32Array(rows * rows), [1, 1, rows, rows]);
    const results = [];
    for (const provider of ["cpu", "webgpu"]) {
      const session = await InferenceSession.create(`${name}.onnx`, { executionProviders: [provider] });
      results.push((await session.run(feeds)).y.data);
    }
    const [cpu, webgpu] = results;
    const largest = Math.max(...cpu.map((value, index) => Math.abs(value - webgpu[index])));
    const bias = name === "biased" ? ", a bias of zeros" : "";
    console.log(`${rows} queries${bias}: ${largest < 1e-4 ? "equal" : "another result"}`);
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
python/bin/python model.py
node run.cjs | tee found
diff found - <<'EXPECTED'
31 queries: equal
31 queries, a bias of zeros: equal
32 queries: another result
32 queries, a bias of zeros: another result
100 queries: another result
100 queries, a bias of zeros: another result
EXPECTED
