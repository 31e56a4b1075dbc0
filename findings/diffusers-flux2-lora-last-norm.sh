#!/usr/bin/env bash
# diffusers 0.42.1, FLUX.2.
#
# The last norm of the original FLUX.2 files has shift before scale, diffusers' has scale before shift. The converter of whole
# checkpoints swaps the two halves; the one of LoRAs renames the layer and leaves its rows where they are. A LoRA in the original
# naming that was trained on this layer so moves the scale where it meant the shift, and the other way round, without a warning.
#
# Output on 2026-11-30:
#   rows of a checkpoint's layer: [2.0, 3.0, 0.0, 1.0]
#   rows of a LoRA's layer:       [0.0, 1.0, 2.0, 3.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >rows.py <<'PYTHON'
import torch
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_flux2_lora_to_diffusers
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers

name = "final_layer.adaLN_modulation.1"
rows = torch.arange(4.0).reshape(4, 1)
layer = convert_flux2_transformer_checkpoint_to_diffusers({f"{name}.weight": rows.clone()})
print("rows of a checkpoint's layer:", layer["norm_out.linear.weight"].flatten().tolist())
lora = _convert_non_diffusers_flux2_lora_to_diffusers(
    {f"diffusion_model.{name}.lora_A.weight": torch.ones(1, 1), f"diffusion_model.{name}.lora_B.weight": rows.clone()}
)
print("rows of a LoRA's layer:      ", lora["transformer.norm_out.linear.lora_B.weight"].flatten().tolist())
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0 peft==0.21.2
python/bin/python rows.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
rows of a checkpoint's layer: [2.0, 3.0, 0.0, 1.0]
rows of a LoRA's layer:       [0.0, 1.0, 2.0, 3.0]
EXPECTED
