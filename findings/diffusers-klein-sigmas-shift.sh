#!/usr/bin/env bash
# diffusers 0.42.1, Flux2KleinPipeline.
#
# Like other pipelines it takes `sigmas` in place of `num_inference_steps`. Its time shift depends on the number of steps, though,
# and is computed from num_inference_steps, which is 50 by default, however many sigmas there are. The four levels that the
# pipeline makes for four steps, given as `sigmas`, are so shifted to other ones, and the image is another; nothing says so.
#
# Output on 2026-11-30:
#   4 steps:                     [1.0, 0.955, 0.875, 0.7, 0.0]
#   the same 4 levels as sigmas: [1.0, 0.937, 0.832, 0.622, 0.0]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >levels.py <<'PYTHON'
import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, Flux2Transformer2DModel

torch.manual_seed(0)
transformer = Flux2Transformer2DModel(
    in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=1, joint_attention_dim=8,
    axes_dims_rope=(4, 4, 4, 4),
)
autoencoder = AutoencoderKLFlux2(
    latent_channels=4, block_out_channels=(4, 4, 4, 4), norm_num_groups=2, layers_per_block=1
)
scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
pipeline = Flux2KleinPipeline(
    scheduler=scheduler, vae=autoencoder, transformer=transformer, text_encoder=None, tokenizer=None, is_distilled=True
)
pipeline.set_progress_bar_config(disable=True)


def levels(**steps):
    pipeline(prompt_embeds=torch.zeros(1, 2, 8), height=64, width=64, output_type="latent", **steps)
    return [round(sigma, 3) for sigma in scheduler.sigmas.tolist()]


print("4 steps:                    ", levels(num_inference_steps=4))
print("the same 4 levels as sigmas:", levels(sigmas=[1.0, 0.75, 0.5, 0.25]))
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0
python/bin/python levels.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
4 steps:                     [1.0, 0.955, 0.875, 0.7, 0.0]
the same 4 levels as sigmas: [1.0, 0.937, 0.832, 0.622, 0.0]
EXPECTED
