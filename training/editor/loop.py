"""The training of the editor: first on drawn edits, then on its own guided velocity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers.models.transformers import transformer_flux
from torch import Tensor

from training import autoencoder, vocabulary
from training.editor.batches import Batches, draw_guidance, draw_sigma
from training.editor.model import PLAIN_GUIDANCE, Editor, build, start_from, true_scale
from training.muon import optimizers, set_rate
from training.precision import attention, has_fast_half, mixed
from training.run import Average, Clock, Run, schedule

# Matrices that AdamW steps: the modulations (all in modules with norm in their names) and the output projection.
NOT_MUON = ("norm", "transformer.proj_out")

NOISES_PER_BATCH = 4  # encoding a batch costs half a step, so each is used with several noises
CHECK_EVERY = 250  # steps


def train(
    run: Run, minutes: float, distil_minutes: float, batch: int, seed: int, device: str, start: Path | None = None, start_gain: float = 1.0
) -> None:
    """Trains on drawn edits for `minutes`, then for `distil_minutes` on the model's own guided velocity.

    Without a saved state it begins from the checkpoint folder `start`, with `start_gain` of the rates of a training from
    nothing, or from nothing.
    """
    torch.manual_seed(seed)
    vocabulary.prepare(run.tokenizers, start)
    editor = build(run.tokenizers)
    if start is not None and not run.exists("editor"):
        start_from(editor, start)
    editor = editor.to(device)
    state = run.load("editor")
    phase, step, seconds = "edits", 0, 0.0
    if state:
        phase, step, seconds = state["phase"], state["step"], state["seconds"]
        torch.set_rng_state(state["random"])
    batches = Batches(autoencoder.trained(run), run.side, batch, seed, device, run.tokenizers)
    gain = 1.0 if start is None else start_gain
    phases = {"edits": (minutes, 0.02 * gain, 1e-3 * gain), "guidance": (distil_minutes, 0.006, 5e-4)}
    teacher: Editor | None = None
    average = Average(editor)
    for name, (length, muon_lr, adam_lr) in phases.items():
        if name != phase:
            if list(phases).index(name) < list(phases).index(phase):
                continue  # done before the interruption
            # A new phase starts from the averaged weights, with fresh momenta.
            phase, seconds, state = name, 0.0, None
            editor.load_state_dict(average.weights)
        editor.transformer.time_text_embed.guidance_embedder.requires_grad_(name == "guidance")
        made = optimizers([editor], muon_lr, adam_lr, NOT_MUON)
        if state:
            editor.load_state_dict(state["model"])
            average.weights, average.steps = state["average"], state["step"]
            for optimizer, saved in zip(made, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
        if name == "guidance":
            teacher = build(run.tokenizers).to(device).requires_grad_(False)
            teacher.load_state_dict(state["teacher"] if state else editor.state_dict())
            average.decay = 0.99  # this phase is short
        step, average = _train_phase(run, name, length, seconds, step, editor, teacher, average, made, batches)
        state = None


class Check:
    """The loss on edits, noise and sigmas that never change and are not trained on: what the log calls `check`."""

    def __init__(self, batches: Batches) -> None:
        self.data = batches.draw(-1)
        generator = torch.Generator().manual_seed(0)
        shape, device = self.data["target"].shape, batches.device
        self.noise = torch.randn(shape, generator=generator).to(device)
        self.sigma = draw_sigma(shape[0], device, generator)
        self.guidance = torch.full((shape[0],), PLAIN_GUIDANCE, device=device)

    def loss(self, forward: Callable[..., Tensor]) -> float:
        """Runs as a step does, gradients included, so that nothing is compiled again for it."""
        data, at = self.data, self.sigma.view(-1, 1, 1)
        noisy = at * self.noise + (1 - at) * data["target"]
        with mixed(noisy.device.type):
            predicted = forward(noisy, data["reference"], data["places"], self.sigma, self.guidance, data["t5_ids"], data["clip_ids"])
        return (predicted - (self.noise - data["target"])).square().mean().item()


def compiled(model: Editor, device: str) -> Callable[..., Tensor]:
    """Compiles the repeated blocks where that pays: on a GPU once for all shapes of image, on a processor for each shape.

    Compiled as a whole, a step would be a tenth faster still, after two minutes for each shape and phase. In single
    precision compiling gains nothing.
    """
    if has_fast_half(device):
        # Per block: the shapes, times two networks, times with and without gradients. Beyond this, steps run uncompiled.
        torch._dynamo.config.recompile_limit = 32
        if device == "cpu":
            # With 512, the gradients of the double blocks are a hundred thousand times too large, or NaN.
            torch._inductor.config.cpp.simdlen = 256
            transformer_flux.dispatch_attention_fn = attention  # its registry accepts none from outside
        model.transformer.compile_repeated_blocks(dynamic=device != "cpu")
    return model.velocity


def _train_phase(
    run: Run, phase: str, minutes: float, seconds: float, step: int, editor: Editor, teacher: Editor | None,
    average: Average, made: list[torch.optim.Optimizer], batches: Batches,
) -> tuple[int, Average]:  # fmt: skip
    clock = Clock(run, minutes, seconds)
    device = batches.device
    forward = compiled(editor, device)
    guided = compiled(teacher, device) if teacher else None
    empty = tuple(ids.expand(batches.batch, -1).contiguous() for ids in batches.tokens([""]))
    data: dict[str, Tensor] = {}
    plain, weighted = [], []
    check = Check(batches)

    def pack_state() -> dict:
        return {
            "phase": phase, "model": editor.state_dict(), "average": average.weights, "optimizers": [o.state_dict() for o in made],
            "teacher": teacher.state_dict() if teacher else None, "step": step, "seconds": clock.spent, "random": torch.get_rng_state(),
        }  # fmt: skip

    while clock.progress < 1:
        set_rate(made, schedule(clock.progress))
        if step % NOISES_PER_BATCH == 0 or not data:
            data = batches.draw(step // NOISES_PER_BATCH)
        noise = torch.randn_like(data["target"])
        sigma = draw_sigma(batches.batch, device)
        plain_guidance = torch.full((batches.batch,), PLAIN_GUIDANCE, device=device)
        guidance = draw_guidance(batches.batch, device)
        at = sigma.view(-1, 1, 1)
        noisy = at * noise + (1 - at) * data["target"]
        inputs = (noisy, data["reference"], data["places"], sigma)
        words = (data["t5_ids"], data["clip_ids"])
        with mixed(noisy.device.type):
            if guided:
                with torch.no_grad():
                    without = guided(*inputs, plain_guidance, *empty)
                    target = without + true_scale(guidance).view(-1, 1, 1) * (guided(*inputs, plain_guidance, *words) - without)
            else:
                target, guidance = noise - data["target"], plain_guidance
            predicted = forward(*inputs, guidance, *words)
        errors = (predicted - target).square().mean(dim=2)
        loss = (errors * data["weight"]).mean()
        loss.backward()
        for optimizer in made:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        average.update(editor)
        plain.append(errors.detach().mean())
        weighted.append(loss.detach())
        if step % 25 == 0:
            mean = torch.stack(plain).mean().item()
            run.log(phase, step=step, loss=mean, weighted=torch.stack(weighted).mean().item(), seconds=clock.spent)
            plain, weighted = [], []
        if step % CHECK_EVERY == 0:
            run.log(phase, step=step, check=check.loss(forward))
        if clock.save_is_due():
            run.save("editor", pack_state())
    run.save("editor", pack_state())
    return step, average
