"""Writes the small random checkpoints of klein, in the folder layout of diffusers (`settings.py` says what for).

Usage: python scripts/reference/klein/checkpoints.py [--output test/fixtures/klein/checkpoints] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import tools_folder  # noqa: E402, F401  (first)
import quiet  # noqa: E402, F401  (first)
import diffusers  # noqa: E402
import torch  # noqa: E402
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel  # noqa: E402
from klein.settings import CHECKPOINTS, KleinSettings  # noqa: E402
from klein.vocabulary import write_qwen  # noqa: E402
from make_checkpoints import CHECKPOINT_ROOT, check_weights, randomise  # noqa: E402
from torch import nn  # noqa: E402
from transformers import Qwen3Config, Qwen3ForCausalLM  # noqa: E402
from vocabularies import write_json  # noqa: E402
from klein_pipeline import load_klein  # noqa: E402

KLEIN_ROOT = CHECKPOINT_ROOT.parent / "klein" / "checkpoints"

COMPONENTS = {
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3ForCausalLM"],
    "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLFlux2"],
}


def model_index(fields: dict[str, Any]) -> dict[str, Any]:
    return {"_diffusers_version": diffusers.__version__} | fields | COMPONENTS


@torch.no_grad()
def randomise_statistics(vae: AutoencoderKLFlux2, seed: int) -> None:
    """Give the latents' statistics values about those of a random encoder's output."""
    generator = torch.Generator().manual_seed(seed)
    vae.bn.running_mean.copy_(0.5 * torch.randn(vae.bn.running_mean.shape, generator=generator))
    vae.bn.running_var.copy_(4 + 4 * torch.rand(vae.bn.running_var.shape, generator=generator))


def rewrite_config(path: Path) -> None:
    """Rewrite the text encoder's configuration to the fields of transformers 4."""
    config = json.loads(path.read_text())
    theta = config.pop("rope_parameters")["rope_theta"]
    del config["layer_types"]
    config |= {"rope_scaling": None, "rope_theta": theta, "torch_dtype": config.pop("dtype")}
    write_json(path, config)


def write_klein(folder: Path, settings: KleinSettings) -> None:
    """Write one checkpoint; an existing folder of that name is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(folder / "model_index.json", model_index(settings.index))
    num_tokens = write_qwen(folder / "tokenizer", **settings.tokenizer)
    # Like the published vocabulary (151,669 tokens, 151,936 rows), the table has more rows than there are tokens.
    qwen = Qwen3ForCausalLM(Qwen3Config(vocab_size=num_tokens + 3, **settings.qwen))
    vae = AutoencoderKLFlux2(**settings.vae)
    transformer = Flux2Transformer2DModel(**settings.transformer)
    models: dict[str, nn.Module] = {"text_encoder": qwen, "vae": vae, "transformer": transformer}
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0, **settings.scheduler)
    scheduler.save_pretrained(folder / "scheduler")
    for place, (component, model) in enumerate(models.items()):
        randomise(model, settings.seed + place)
    randomise_statistics(vae, settings.seed + len(models))
    for component, model in models.items():
        # Before saving, because the sizes of the shards are counted in the final type.
        model.to(settings.dtypes[component])
        model.save_pretrained(folder / component, **settings.saving.get(component, {}))
    if settings.is_old_config:
        rewrite_config(folder / "text_encoder" / "config.json")
    check_weights(folder.name, load_klein(folder), models)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the small random checkpoints of klein.")
    parser.add_argument("--output", type=Path, default=KLEIN_ROOT)
    parser.add_argument("--only", nargs="*", choices=sorted(CHECKPOINTS), default=list(CHECKPOINTS))
    arguments = parser.parse_args()
    for name in arguments.only:
        write_klein(arguments.output / name, CHECKPOINTS[name])
        size = sum(path.stat().st_size for path in (arguments.output / name).rglob("*") if path.is_file())
        print(f"{name}: {size / 1000:.0f} KB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
