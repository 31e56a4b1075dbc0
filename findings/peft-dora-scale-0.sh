#!/usr/bin/env bash
# peft 0.21.2.
#
# A LoRA with the scale 0 leaves the model as it was. A DoRA does not: the scale multiplies only the product of its two
# matrices, and the trained lengths of the rows stay in force. To be without one, it has to be disabled or unloaded; a slider
# that goes down to 0 ends at another model.
#
# Output on 2026-11-30:
#   LoRA at the scale 0: the base model
#   DoRA at the scale 0: another model
#   DoRA disabled: the base model
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >scale.py <<'PYTHON'
import torch
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)
x = torch.randn(4, 8)
for name in ("LoRA", "DoRA"):
    network = torch.nn.Sequential(torch.nn.Linear(8, 8))
    with torch.no_grad():
        base = network(x)
    model = get_peft_model(network, LoraConfig(target_modules=["0"], r=2, use_dora=name == "DoRA"))
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        ((model(x) - 1) ** 2).mean().backward()
        optimizer.step()
    model.base_model.model[0].set_scale("default", 0)
    with torch.no_grad():
        is_base = torch.allclose(model(x), base, atol=1e-5)
        print(f"{name} at the scale 0: {'the base model' if is_base else 'another model'}")
        if name == "DoRA":
            with model.disable_adapter():
                is_base = torch.allclose(model(x), base, atol=1e-5)
            print(f"{name} disabled: {'the base model' if is_base else 'another model'}")
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check peft==0.21.2 transformers==5.23.0
python/bin/python scale.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
LoRA at the scale 0: the base model
DoRA at the scale 0: another model
DoRA disabled: the base model
EXPECTED
