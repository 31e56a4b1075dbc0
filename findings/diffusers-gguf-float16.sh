#!/usr/bin/env bash
# diffusers 0.42.1 with gguf 0.19.0, on the CPU.
#
# compute_dtype of GGUFQuantizationConfig is the type in which a layer multiplies. Its weights have been through float16
# before: the blocks of GGUF hold float16 scales, and diffusers multiplies these with the integers in float16, whatever
# compute_dtype says. So a "float32" run has weights off by up to half of float16's last digit from those that gguf and
# llama.cpp give for the same file, and of types with an offset (Q4_1, Q5_1 and the K types) each number is rounded twice.
#
# Output on 2026-11-30:
#   Q8_0 with compute_dtype float32: not gguf's numbers, but those rounded to float16
#   Q4_0 with compute_dtype float32: not gguf's numbers, but those rounded to float16
#   Q5_1 with compute_dtype float32: not gguf's numbers, nor those rounded to float16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >widen.py <<'PYTHON'
import gguf
import numpy
import torch
from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter

numbers = numpy.random.default_rng(0).standard_normal((64, 256)).astype(numpy.float32)
for name in ("Q8_0", "Q4_0", "Q5_1"):
    kind = gguf.GGMLQuantizationType[name]
    blocks = gguf.quantize(numbers, kind)
    layer = GGUFLinear(256, 64, compute_dtype=torch.float32)
    layer.weight = GGUFParameter(torch.from_numpy(blocks), quant_type=kind)
    found = layer(torch.eye(256)).T.detach().numpy()
    wanted = gguf.dequantize(blocks, kind)
    if numpy.array_equal(found, wanted):
        text = "gguf's numbers"
    elif numpy.array_equal(found, wanted.astype(numpy.float16)):
        text = "not gguf's numbers, but those rounded to float16"
    else:
        text = "not gguf's numbers, nor those rounded to float16"
    print(f"{name} with compute_dtype float32: {text}")
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0 accelerate==1.15.0 gguf==0.19.0
python/bin/python widen.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
Q8_0 with compute_dtype float32: not gguf's numbers, but those rounded to float16
Q4_0 with compute_dtype float32: not gguf's numbers, but those rounded to float16
Q5_1 with compute_dtype float32: not gguf's numbers, nor those rounded to float16
EXPECTED
