"""Stage 2: the two text encoders and the transformer, trained together to turn one picture's latents into another's."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from diffusers.models.transformers import transformer_flux
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from training import ahead, autoencoder, run, vocabulary
from training.muon import optimizers, set_rate
from training.precision import attention, has_fast_half, mixed
from training.scenes.compose import draw_shape, sizes
from training.scenes.edits import draw_edit
from training.scenes.render import change_mask, render

SIDE = autoencoder.SIDE
TOKEN = 16  # pixels a side: 8 for the autoencoder, 2 for the packing
TOKENIZERS = run.STATE_FOLDER / "tokenizers"

SCHEDULER = {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True,
    "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096,
}  # fmt: skip

# Matrices that AdamW steps: the modulations (all of them sit in something called norm) and the output projection.
NOT_MUON = ("norm", "transformer.proj_out")

NOISES_PER_BATCH = 4  # encoding a batch costs as much as half a step, so each is used with several noises
SIGMA_SHIFT = 3.0  # of the sigmas that are trained on, see `draw_sigma`
CHECK_EVERY = 250  # steps
EMPTY_TEXTS = 0.1  # the share of instructions left out, so that true guidance has something to go against
PLAIN_GUIDANCE = 1.0  # what the guidance embedding gets while it has no meaning yet: true guidance 1 is the plain prediction


def true_scale(guidance: Tensor) -> Tensor:
    """The scale of true guidance that one pass at `guidance` learns to equal: 0 -> 0, 2 -> 1.33, 5 -> 2.22, 10 -> 2.86.

    Rises all the way, and ever slower: the small model follows best at a scale of about 2, and more of the picture is kept the
    nearer the scale is to 1.
    """
    return 4 * guidance / (guidance + 4)


class Editor(nn.Module):
    def __init__(self, t5_words: int, clip_words: int, clip_marks: tuple[int, int]) -> None:
        super().__init__()
        self.t5 = T5EncoderModel(T5Config(
            vocab_size=t5_words, d_model=192, d_kv=32, num_heads=6, d_ff=384, num_layers=2, dropout_rate=0.0,
            feed_forward_proj="gated-gelu", use_cache=False, is_encoder_decoder=False,
        ))  # fmt: skip
        start, end = clip_marks
        self.clip = CLIPTextModel(CLIPTextConfig(
            vocab_size=clip_words, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=vocabulary.MAX_LENGTH, projection_dim=128, bos_token_id=start, eos_token_id=end, pad_token_id=end,
        ))  # fmt: skip
        self.transformer = FluxTransformer2DModel(
            in_channels=64, num_layers=2, num_single_layers=6, attention_head_dim=64, num_attention_heads=4,
            joint_attention_dim=192, pooled_projection_dim=128, guidance_embeds=True, axes_dims_rope=(16, 24, 24),
        )  # fmt: skip
        # Every block starts as the identity and the whole as zero: modulations and output are silent at first.
        for name, p in self.transformer.named_parameters():
            if name.startswith("proj_out") or (".linear." in name and "norm" in name):
                nn.init.zeros_(p)
        # Without a guided target, guidance is noise to the network: it stays exactly zero until the second phase.
        guidance = self.transformer.time_text_embed.guidance_embedder.linear_2
        nn.init.zeros_(guidance.weight)
        nn.init.zeros_(guidance.bias)

    def velocity(
        self, noisy: Tensor, reference: Tensor, places: Tensor, sigma: Tensor, guidance: Tensor, t5_ids: Tensor, clip_ids: Tensor
    ) -> Tensor:
        """The predicted noise - latents, [B, L, 64].

        noisy, reference [B, L, 64]; places [2 L, 3], see `image_ids`; sigma, guidance [B]; ids [B, Lt].
        """
        text = self.t5(input_ids=t5_ids).last_hidden_state
        pooled = self.clip(input_ids=clip_ids).pooler_output
        out = self.transformer(
            hidden_states=torch.cat([noisy, reference], dim=1), encoder_hidden_states=text, pooled_projections=pooled,
            timestep=sigma, guidance=guidance, img_ids=places, txt_ids=torch.zeros(text.shape[1], 3, device=noisy.device),
            return_dict=False,
        )[0]  # fmt: skip
        return out[:, : noisy.shape[1]].float()


def build(folder: Path = TOKENIZERS) -> Editor:
    clip, t5 = vocabulary.load(folder)
    return Editor(len(t5), len(clip), (clip.bos_token_id, clip.eos_token_id))


def start_from(editor: Editor, folder: Path) -> None:
    """Takes over the weights of a checkpoint folder, whose tokenizers `vocabulary.prepare` has kept."""
    parts = (
        (editor.transformer, FluxTransformer2DModel, "transformer"),
        (editor.t5, T5EncoderModel, "text_encoder_2"),
        (editor.clip, CLIPTextModel, "text_encoder"),
    )
    for model, kind, part in parts:
        model.load_state_dict(kind.from_pretrained(folder / part, torch_dtype=torch.float32).state_dict())


def image_ids(size: tuple[int, int], device: str | torch.device = "cpu") -> Tensor:
    """[2 L, 3] for a picture of width and height in pixels: stream (0 noisy, 1 reference), row, column."""
    width, height = size
    rows, columns = torch.meshgrid(torch.arange(height // TOKEN), torch.arange(width // TOKEN), indexing="ij")
    one = torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3).float()
    return torch.cat([one, one + torch.tensor([1.0, 0.0, 0.0])]).to(device)


def pack(latents: Tensor) -> Tensor:
    """[B, 16, 2 h, 2 w] -> [B, h w, 64], the channel before the place within a token, as diffusers packs."""
    b, c, h, w = latents.shape
    return latents.view(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, c * 4)


def shifted(u: Any, shift: float) -> Any:
    """Moves times in 0..1, a number or a tensor, towards 1 where the shift is above 1."""
    return shift * u / (1 + (shift - 1) * u)


def shift_time(u: Any, tokens: int) -> Any:
    """Shifts times in 0..1, a number or a tensor, as the scheduler does for this many target tokens (mu is linear in them)."""
    slope = (SCHEDULER["max_shift"] - SCHEDULER["base_shift"]) / (SCHEDULER["max_image_seq_len"] - SCHEDULER["base_image_seq_len"])
    return shifted(u, math.exp(SCHEDULER["base_shift"] + slope * (tokens - SCHEDULER["base_image_seq_len"])))


def draw_sigma(count: int, device: str, generator: torch.Generator | None = None) -> Tensor:
    """[count] in 0..1: spread evenly over a batch, then shifted so that 43 % are above 0.8.

    What comes of an instruction is settled there, in the first of the steps, and what is settled wrong stays. The usual
    logit-normal times put 4 % above 0.9, and after 11,000 steps of them the network at sigma 1 still missed what it had only to
    copy by 0.25, of a variance of 1.
    """
    where = "cpu" if generator else device
    spread = torch.randperm(count, device=where, generator=generator) + torch.rand(count, device=where, generator=generator)
    return shifted((spread / count).to(device), SIGMA_SHIFT)


def draw_guidance(count: int, device: str) -> Tensor:
    """[count] of any guidance that a user may send, 0 to 10: 45 % are 1 to 4, 45 % make all scales equally frequent, 10 % are 0.

    At 0 the instruction is to count for nothing, which is learnt only where just that is asked for.
    """
    share, kind = torch.rand(2, count, device=device)
    scale = share * true_scale(torch.tensor(10.0))
    guidance = torch.where(kind < 0.45, 1 + 3 * share, 4 * scale / (4 - scale))
    return torch.where(kind > 0.9, torch.zeros_like(share), guidance)


def balance(changed: Tensor) -> Tensor:
    """What each token counts in the loss, [B, L] of mean 1, for the tokens that an edit changes, [B, L].

    What changes and what stays count alike, so that neither a small edit nor a small object before a new background is
    lost among the rest; a token that changes counts for half to eight of the others, lest a few decide everything.
    """
    share = changed.float().mean(dim=1, keepdim=True)
    weight = torch.where(changed, ((1 - share) / share).clamp(0.5, 8), 1.0)
    return weight / weight.mean(dim=1, keepdim=True)


def draw_examples(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The pictures before, then those after, as bytes [2 B, H, W, 3]; which tokens change [B, L]; the instructions."""
    random = Random(seed)
    shape = draw_shape(random)
    size = sizes(SIDE)[shape]
    sources, targets, texts, masks = [], [], [], []
    for _ in range(count):
        edit = draw_edit(random, shape=shape)
        source, target = render(edit.before, size), render(edit.after, size)
        sources.append(np.asarray(source))
        targets.append(np.asarray(target))
        texts.append("" if random.random() < EMPTY_TEXTS else edit.instruction)
        masks.append(change_mask(source, target))
    across, down = size[0] // TOKEN, size[1] // TOKEN
    changed = np.stack(masks).reshape(count, down, TOKEN, across, TOKEN).any(axis=(2, 4)).reshape(count, -1)
    return np.stack(sources + targets), changed, texts


class Batches:
    """Draws and encodes batches of edits; batch n is the same in every run with this seed."""

    def __init__(self, encoder: AutoencoderKL, batch: int, seed: int, device: str, tokenizers: Path = TOKENIZERS) -> None:
        self.encoder, self.batch, self.seed, self.device = encoder.to(device), batch, seed, device
        self.clip, self.t5 = vocabulary.load(tokenizers)

    def tokens(self, texts: list[str]) -> tuple[Tensor, Tensor]:
        how = {"padding": "max_length", "truncation": True, "max_length": vocabulary.MAX_LENGTH, "return_tensors": "pt"}
        return self.t5(texts, **how).input_ids.to(self.device), self.clip(texts, **how).input_ids.to(self.device)

    @torch.no_grad()
    def draw(self, number: int) -> dict[str, Tensor]:
        pictures, changed, texts = ahead.take(draw_examples, self.seed * 1_000_003 + number, self.batch)
        both = autoencoder.pixels(pictures, self.device)
        with mixed(both.device.type):
            latents = pack(autoencoder.encode(self.encoder, both).float())
        t5_ids, clip_ids = self.tokens(texts)
        size = (pictures.shape[2], pictures.shape[1])
        return {
            "reference": latents[: self.batch], "target": latents[self.batch :], "places": image_ids(size, self.device),
            "t5_ids": t5_ids, "clip_ids": clip_ids, "weight": balance(torch.from_numpy(changed).to(self.device)),
        }  # fmt: skip


def train(
    minutes: float, distil_minutes: float, batch: int, seed: int, device: str, start: Path | None = None, start_gain: float = 1.0
) -> None:
    """Trains on drawn edits for `minutes`, then for `distil_minutes` on the model's own guided velocity.

    Without a saved state it begins from the checkpoint folder `start`, with `start_gain` of the rates of a training from
    nothing, or from nothing.
    """
    torch.manual_seed(seed)
    vocabulary.prepare(TOKENIZERS, start)
    editor = build()
    if start is not None and not run.exists("editor"):
        start_from(editor, start)
    editor = editor.to(device)
    state = run.load("editor")
    phase, step, seconds = "edits", 0, 0.0
    if state:
        phase, step, seconds = state["phase"], state["step"], state["seconds"]
        torch.set_rng_state(state["random"])
    batches = Batches(autoencoder.trained(), batch, seed, device)
    gain = 1.0 if start is None else start_gain
    phases = {"edits": (minutes, 0.02 * gain, 1e-3 * gain), "guidance": (distil_minutes, 0.006, 5e-4)}
    teacher: Editor | None = None
    average = run.Average(editor)
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
            teacher = build().to(device).requires_grad_(False)
            teacher.load_state_dict(state["teacher"] if state else editor.state_dict())
            average.decay = 0.99  # this phase is short
        step, average = _train_phase(name, length, seconds, step, editor, teacher, average, made, batches)
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
        """Runs as a step does, gradients and all, so that nothing is compiled anew for it."""
        data, at = self.data, self.sigma.view(-1, 1, 1)
        noisy = at * self.noise + (1 - at) * data["target"]
        with mixed(noisy.device.type):
            predicted = forward(noisy, data["reference"], data["places"], self.sigma, self.guidance, data["t5_ids"], data["clip_ids"])
        return (predicted - (self.noise - data["target"])).square().mean().item()


def compiled(model: Editor, device: str) -> Callable[..., Tensor]:
    """Compiles the repeated blocks: on a GPU once for all shapes of picture, on a processor for each, where steps gain by it.

    Compiled as a whole, a step would be a tenth faster still, after two minutes for each shape and phase. In single
    precision compiling gains nothing.
    """
    if has_fast_half(device):
        # Of one block: the shapes, times two networks, times with gradients and without. Beyond, steps run uncompiled.
        torch._dynamo.config.recompile_limit = 32
        if device == "cpu":
            # With 512 the gradients of the double blocks come out a hundred thousand times too large, or not as numbers.
            torch._inductor.config.cpp.simdlen = 256
            transformer_flux.dispatch_attention_fn = attention  # its registry takes none from outside
        model.transformer.compile_repeated_blocks(dynamic=device != "cpu")
    return model.velocity


def _train_phase(
    phase: str, minutes: float, seconds: float, step: int, editor: Editor, teacher: Editor | None,
    average: run.Average, made: list[torch.optim.Optimizer], batches: Batches,
) -> tuple[int, run.Average]:  # fmt: skip
    clock = run.Clock(minutes, seconds)
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
        set_rate(made, run.schedule(clock.progress))
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


def trained() -> Editor:
    """The averaged model of the saved state, of whichever phase."""
    editor = build()
    state = run.load("editor")
    if state:
        editor.load_state_dict(state["average"])
    return editor.eval()
