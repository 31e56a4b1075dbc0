"""The two text encoders and the transformer, and how images become their tokens."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from training import vocabulary
from training.run import TOKEN, Run

SCHEDULER = {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True,
    "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096,
}  # fmt: skip

PLAIN_GUIDANCE = 1.0  # for the guidance embedding while it has no meaning yet: true guidance 1 is the plain prediction


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


def build(tokenizers: Path) -> Editor:
    """An editor for the vocabularies of a folder with both tokenizers: a run's or a checkpoint's."""
    clip, t5 = vocabulary.load(tokenizers)
    return Editor(len(t5), len(clip), (clip.bos_token_id, clip.eos_token_id))


def start_from(editor: Editor, folder: Path) -> None:
    """Loads the weights of a checkpoint folder, whose tokenizers `vocabulary.prepare` has kept."""
    parts = (
        (editor.transformer, FluxTransformer2DModel, "transformer"),
        (editor.t5, T5EncoderModel, "text_encoder_2"),
        (editor.clip, CLIPTextModel, "text_encoder"),
    )
    for model, kind, part in parts:
        model.load_state_dict(kind.from_pretrained(folder / part, torch_dtype=torch.float32).state_dict())


def trained(run: Run) -> Editor:
    """The averaged model of the saved state, in either phase."""
    editor = build(run.tokenizers)
    state = run.load("editor")
    if state:
        editor.load_state_dict(state["average"])
    return editor.eval()


def image_ids(size: tuple[int, int], device: str | torch.device = "cpu") -> Tensor:
    """[2 L, 3] for an image of width and height in pixels: stream (0 noisy, 1 reference), row, column."""
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
