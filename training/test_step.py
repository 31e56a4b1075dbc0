"""Checks the arithmetic of a training step: `python -m training.test_step`, or pytest."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F

from training import autoencoder, checks, prefetch
from training.average import average
from training.editor.batches import balance, draw_examples, draw_guidance, draw_sigma
from training.editor.model import image_ids, pack, true_scale
from training.muon import orthogonalise
from training.precision import attention
from training.scenes.render import render
from training.validation import draw_case, judge


def test_attention_and_its_gradients_are_those_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(2, 24, 4, 16, generator=generator) for _ in range(4)]

    def outcome(written_out: bool) -> list[torch.Tensor]:
        query, key, value = (x.clone().requires_grad_() for x in made[:3])
        if written_out:
            out = attention(query, key, value, attn_mask=None, backend=None)
        else:
            out = F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (query, key, value))).transpose(1, 2)
        (out * made[3]).sum().backward()
        return [out.detach(), query.grad, key.grad, value.grad]

    for ours, theirs in zip(outcome(True), outcome(False), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for rows, columns in ((32, 32), (24, 80), (80, 24)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(3, rows, columns, generator=generator)).float())
        # The quintic leads there; a square matrix may have a singular value so small that it stays below.
        assert values.max() < 1.25 and values.median() > 0.65, values


def test_every_guidance_is_asked_for() -> None:
    torch.manual_seed(0)
    drawn = draw_guidance(20_000, "cpu")
    assert drawn.min() == 0 and 9.5 < drawn.max() <= 10
    assert 0.09 < (drawn == 0).float().mean() < 0.11
    assert 0.45 < ((drawn >= 1) & (drawn <= 4)).float().mean() < 0.75
    assert [round(true_scale(torch.tensor(g)).item(), 2) for g in (0.0, 1.0, 2.0, 5.0, 10.0)] == [0, 0.8, 1.33, 2.22, 2.86]


def test_a_batch_spreads_its_sigmas_and_four_in_ten_are_high() -> None:
    drawn = draw_sigma(1000, "cpu", torch.Generator().manual_seed(0))
    assert 0 <= drawn.min() < 0.01 and 0.999 < drawn.max() <= 1
    # With u spread evenly, sigma is above s from u = s / (3 - 2 s) on: 0.8 from 0.571, 0.9 from 0.75, 0.2 from 0.077.
    for sigma, share in ((0.2, 0.923), (0.8, 0.429), (0.9, 0.25)):
        assert abs((drawn > sigma).float().mean().item() - share) <= 0.002, sigma
    assert torch.equal(drawn, draw_sigma(1000, "cpu", torch.Generator().manual_seed(0)))


def test_what_changes_counts_as_much_as_what_stays() -> None:
    changed = torch.zeros(5, 64, dtype=torch.bool)
    for row, count in enumerate((0, 2, 16, 60, 64)):
        changed[row, :count] = True
    weight = balance(changed)
    torch.testing.assert_close(weight.mean(dim=1), torch.ones(5))
    # Two of 64 tokens at eight times the others' weight are a fifth of the whole; 60 at half are 30 to 4.
    expected = torch.tensor([0, 16 / 78, 1 / 2, 30 / 34, 1])
    torch.testing.assert_close((weight * changed).sum(dim=1) / 64, expected)


def test_tokens_and_their_places_are_in_the_same_order() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    tokens = pack(torch.stack([rows, columns]).repeat(1, 8, 1, 1).view(1, 16, 6, 8))
    places = image_ids((64, 48))
    assert tokens.shape == (1, 12, 64) and places.shape == (24, 3)
    # Every even channel of the latents holds the row, every odd one the column; a token starts at twice its place.
    assert torch.equal(tokens[0, :, 0], 2 * places[:12, 1]) and torch.equal(tokens[0, :, 4], 2 * places[:12, 2])
    assert places[:12, 0].unique().tolist() == [0] and places[12:, 0].unique().tolist() == [1]


def test_the_truth_is_followed_and_the_source_is_not() -> None:
    edit, tiles = draw_case(Random(0), "recolour")
    truth, source = (np.asarray(render(scene, (128, 128)), np.float32) for scene in (edit.after, edit.before))
    (margin, kept), (margin_of_source, _) = judge(edit, tiles, truth), judge(edit, tiles, source)
    assert margin > 0 and kept == 10 * np.log10(255**2 / 0.1), (margin, kept)
    assert margin_of_source < 0, margin_of_source


def test_an_average_is_the_middle_and_of_unlike_checkpoints_nothing_is_written() -> None:
    with TemporaryDirectory() as folder:
        before, after, other, out = (Path(folder) / name for name in ("before", "after", "other", "out"))
        for path, value, size in ((before, 1.0, 3), (after, 2.0, 3), (other, 2.0, 4)):
            (path / "vae").mkdir(parents=True)
            (path / "vae" / "config.json").write_text(json.dumps({"of": path.name}))
            save_file({"x": torch.full((size,), value, dtype=torch.float16)}, path / "vae" / "model.safetensors", {"format": "pt"})
        average(before, after, out)
        with safe_open(out / "vae" / "model.safetensors", "pt") as file:
            assert file.get_tensor("x").tolist() == [1.5] * 3 and file.get_tensor("x").dtype == torch.float16
            assert file.metadata() == {"format": "pt"}
        assert json.loads((out / "vae" / "config.json").read_text()) == {"of": "after"}
        unlike = Path(folder) / "unlike"
        try:
            average(before, other, unlike)
        except ValueError as error:
            assert "model.safetensors" in str(error) and not unlike.exists()
        else:
            raise AssertionError("Tensors of two sizes were averaged.")


def test_prefetched_batches_are_those_that_one_process_draws() -> None:
    numbers = (0, 1, 2, 5)  # 5: as after a jump, when what was prefetched is of no use
    crops = [autoencoder.draw_crops(7 + n, 4, crop, 128) for n, crop in zip(numbers, (16, 16, 32, 32), strict=True)]
    examples = [draw_examples(7 + n, 2, 128) for n in numbers]
    with prefetch.workers(2, preload="training.editor.batches"):
        for n, crop, alone in zip(numbers, (16, 16, 32, 32), crops, strict=True):
            assert np.array_equal(prefetch.take(autoencoder.draw_crops, 7 + n, 4, crop, 128), alone)
        for n, alone in zip(numbers, examples, strict=True):
            pictures, changed, texts = prefetch.take(draw_examples, 7 + n, 2, 128)
            assert np.array_equal(pictures, alone[0]) and np.array_equal(changed, alone[1]) and texts == alone[2]
    assert np.array_equal(prefetch.take(autoencoder.draw_crops, 7, 4, 16, 128), crops[0])


if __name__ == "__main__":
    checks.run(globals())
