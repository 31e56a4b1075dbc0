"""Stage 1: the autoencoder, 3 x side x side pixels <-> 16 x side/8 x side/8 latents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor, nn

from training import prefetch
from training.muon import optimizers, set_rate
from training.precision import mixed
from training.run import Average, Clock, Run, schedule
from training.scenes import textures
from training.scenes.compose import draw_scene
from training.scenes.render import render
from training.scenes.styles import STYLES
from training.scenes.supports import WEATHERS

CONFIG = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [16, 32, 64, 96],
    "layers_per_block": 1,
    "latent_channels": 16,
    "norm_num_groups": 8,
    "mid_block_add_attention": False,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}


def build(side: int) -> AutoencoderKL:
    """Builds it with the residual branches silent at first and every other kernel orthogonal."""
    model = AutoencoderKL(**CONFIG, sample_size=side)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.orthogonal_(module.weight)
            nn.init.zeros_(module.bias)
            if name.endswith("conv2"):
                nn.init.zeros_(module.weight)
    return model


def pixels(images: list | np.ndarray, device: str = "cpu") -> Tensor:
    """PIL images, or bytes [B, H, W, 3] -> [B, 3, H, W] in -1..1."""
    values = images if isinstance(images, np.ndarray) else np.stack([np.asarray(i) for i in images])
    return torch.from_numpy(values).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def draw_picture(random: Random, side: int) -> Image.Image:
    """A scene of any kind, four times in five; otherwise a photograph, a texture or a gradient."""
    other = random.random()
    if other < 0.1:
        return textures.photograph(side, random)
    if other < 0.16:
        return textures.texture(side, random)
    if other < 0.2:
        return textures.gradient(side, random)
    scene = draw_scene(random, with_sign=random.random() < 0.08, shape="square")
    if random.random() < 0.15:
        scene = replace(scene, weather=random.choice(WEATHERS))
    if random.random() < 0.15:
        scene = replace(scene, style=random.choice(tuple(STYLES)))
    return render(scene, (side, side))


def draw_crops(seed: int, count: int, crop: int, side: int) -> np.ndarray:
    """Two crops each of half as many images, as bytes [B, crop, crop, 3]."""
    random = Random(seed)
    crops = []
    for _ in range(count // 2):
        image = draw_picture(random, side)
        for _ in range(2):
            x, y = random.randint(0, side - crop), random.randint(0, side - crop)
            crops.append(np.asarray(image.crop((x, y, x + crop, y + crop))))
    return np.stack(crops)


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    across = F.l1_loss(output.diff(dim=3), target.diff(dim=3)) + F.l1_loss(output.diff(dim=2), target.diff(dim=2))
    return F.l1_loss(output, target) + 0.5 * across + F.mse_loss(output, target)


def decibels(output: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio of images in -1..1, the mean over the images."""
    errors = ((output.clamp(-1, 1) - target) / 2).square().mean(dim=(1, 2, 3))
    return (-10 * errors.log10()).mean().item()


def train(run: Run, minutes: float, batch: int, seed: int, device: str, start: Path | None = None) -> AutoencoderKL:
    """Trains for `minutes` in all, continuing from a saved state, and returns the averaged model.

    Without a saved state it begins from the checkpoint folder `start`, with half the rates, or from nothing.
    """
    torch.manual_seed(seed)
    model = build(run.side) if start is None else AutoencoderKL.from_pretrained(start / "vae", torch_dtype=torch.float32)
    model = model.to(device, memory_format=torch.channels_last)
    average = Average(model, 0.995)
    gain = 1.0 if start is None else 0.5
    made = optimizers([model], muon_lr=0.01 * gain, adam_lr=1e-3 * gain, not_muon=("encoder.conv_in", "decoder.conv_out"))
    step, clock = 0, Clock(run, minutes)
    state = run.load("autoencoder")
    if state:
        model.load_state_dict(state["model"])
        average.weights, average.steps = state["average"], state["step"]
        for optimizer, saved in zip(made, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, clock = state["step"], Clock(run, minutes, state["seconds"])

    def pack() -> dict:
        return {
            "model": model.state_dict(), "average": average.weights, "optimizers": [o.state_dict() for o in made],
            "step": step, "seconds": clock.spent, **statistics,
        }  # fmt: skip

    statistics: dict[str, float] = {}
    forward = torch.compile(_forward, dynamic=False) if device == "cuda" else _forward
    while clock.progress < 1:
        set_rate(made, schedule(clock.progress))
        crop, count = (run.side // 2, batch) if clock.progress < 0.6 else (run.side // 4 * 3, batch // 2)
        crops = prefetch.take(draw_crops, seed * 1_000_003 + step, count, crop, run.side)
        target = pixels(crops, device).contiguous(memory_format=torch.channels_last)
        output, kl = forward(model, target)
        loss = reconstruction_loss(output, target) + 1e-3 * kl
        loss.backward()
        for optimizer in made:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        average.update(model)
        if step % 50 == 0:
            run.log("autoencoder", step=step, loss=loss.item(), dB=decibels(output.detach(), target), seconds=clock.spent)
        if clock.save_is_due():
            run.save("autoencoder", pack())
    if not (state and state.get("scale")):
        model.load_state_dict(average.weights)
        kept = {"shift": model.config.shift_factor, "scale": model.config.scaling_factor}
        statistics.update(measure(model, run.side, device) if step or start is None else kept)
        run.log("autoencoder", step=step, **statistics)
        run.save("autoencoder", pack())
    return trained(run)


def _forward(model: AutoencoderKL, target: Tensor) -> tuple[Tensor, Tensor]:
    with mixed(target.device.type):
        moments = model.encoder(target)
        mean, log_variance = moments.float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-20, 10)
        sample = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        output = model.decoder(sample)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return output.float(), kl


@torch.no_grad()
def measure(model: AutoencoderKL, side: int, device: str) -> dict[str, float]:
    """The latents' mean and inverse deviation, which become shift_factor and scaling_factor, and the quality on new scenes."""
    random = Random(-1)
    target = pixels([render(draw_scene(random, shape="square"), (side, side)) for _ in range(200)], device)
    latents = torch.cat([model.encode(part).latent_dist.mode() for part in target.split(20)])
    output = torch.cat([model.decode(part).sample for part in latents.split(20)])
    return {"shift": latents.mean().item(), "scale": 1 / latents.std().item(), "new_scenes_dB": decibels(output, target)}


def trained(run: Run) -> AutoencoderKL:
    """The averaged model of the saved state; its scaling factors are set once the stage has ended."""
    state = run.load("autoencoder")
    if state is None:
        raise SystemExit("There is no trained autoencoder yet: run `python -m training.train` first.")
    shift, scale = state.get("shift", 0.0), state.get("scale", 1.0)
    model = AutoencoderKL(**CONFIG, sample_size=run.side, shift_factor=shift, scaling_factor=scale)
    model.load_state_dict(state["average"])
    return model.eval()


def encode(model: AutoencoderKL, images: Tensor) -> Tensor:
    """[B, 3, H, W] -> normalised latents [B, 16, H/8, W/8]: the mode of the distribution, not a sample."""
    latents = model.encode(images).latent_dist.mode()
    return (latents - model.config.shift_factor) * model.config.scaling_factor
