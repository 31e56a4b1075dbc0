#!/usr/bin/env bash
# diffusers 0.42.1, FluxPipeline (FluxKontextPipeline does the same).
#
# With stochastic_sampling, FlowMatchEulerDiscreteScheduler draws new noise in each step. Its step() takes a generator, but
# FLUX's pipelines do not pass theirs on, so the steps draw from PyTorch's global one: a call with the same generator gives
# another image each time. Whoever wants an image again has to seed the global generator as well.
#
# Output on 2026-11-30:
#   stochastic_sampling=False, the same generator twice: equal
#   stochastic_sampling=True, the same generator twice: different
#   stochastic_sampling=True, and torch.manual_seed() before each: equal
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >twice.py <<'PYTHON'
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

torch.manual_seed(0)
transformer = FluxTransformer2DModel(
    in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=8,
    pooled_projection_dim=8, axes_dims_rope=(4, 6, 6),
)
others = dict.fromkeys(["vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2"])


def latents(is_stochastic, is_seeded):
    scheduler = FlowMatchEulerDiscreteScheduler(stochastic_sampling=is_stochastic)
    pipeline = FluxPipeline(scheduler=scheduler, transformer=transformer, **others)
    pipeline.set_progress_bar_config(disable=True)
    if is_seeded:
        torch.manual_seed(2)
    return pipeline(
        prompt_embeds=torch.zeros(1, 2, 8), pooled_prompt_embeds=torch.zeros(1, 8), height=64, width=64,
        num_inference_steps=4, generator=torch.Generator("cpu").manual_seed(1), output_type="latent",
    ).images


for is_stochastic, is_seeded in ((False, False), (True, False), (True, True)):
    how = "and torch.manual_seed() before each" if is_seeded else "the same generator twice"
    is_same = torch.equal(latents(is_stochastic, is_seeded), latents(is_stochastic, is_seeded))
    print(f"stochastic_sampling={is_stochastic}, {how}: {'equal' if is_same else 'different'}")
PYTHON

python3 -m venv python
# PyTorch alone first: resolved together with the rest, pip prefers builds with gigabytes of CUDA.
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check diffusers==0.42.1 transformers==5.23.0
python/bin/python twice.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
stochastic_sampling=False, the same generator twice: equal
stochastic_sampling=True, the same generator twice: different
stochastic_sampling=True, and torch.manual_seed() before each: equal
EXPECTED
