#!/usr/bin/env bash
# diffusers 0.42.1, Flux2KleinPipeline (compute_empirical_mu).
#
# The time shift grows with the number of image tokens, up to 4,300 of them. From 4,301 on, it is another line that leaves the
# number of steps out, so four steps get the shift of 200. A picture of 1056*1056 pixels, one row of tokens larger than 1040*1056,
# is denoised at lower levels than a picture of any smaller size; nothing says so.
#
# Output on 2026-11-30, 4 steps:
#   1040*1056, 4290 tokens: [1.0, 0.968, 0.91, 0.77, 0.0]
#   1056*1056, 4356 tokens: [1.0, 0.908, 0.767, 0.524, 0.0]
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

for height, width in ((1040, 1056), (1056, 1056)):
    pipeline(
        prompt_embeds=torch.zeros(1, 2, 8), height=height, width=width, num_inference_steps=4, output_type="latent"
    )
    levels = [round(sigma, 3) for sigma in scheduler.sigmas.tolist()]
    print(f"{height}*{width}, {height * width // 256} tokens: {levels}")
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0
python/bin/python levels.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
1040*1056, 4290 tokens: [1.0, 0.968, 0.91, 0.77, 0.0]
1056*1056, 4356 tokens: [1.0, 0.908, 0.767, 0.524, 0.0]
EXPECTED
