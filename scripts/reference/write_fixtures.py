"""Writes what the reference implementation computes at every stage of the edits in `cases.py`, for the tests.

The checkpoints must be there (`make_checkpoints.py`). Files, tensors and versions: `test/fixtures/README.md`.

Usage: python scripts/reference/write_fixtures.py [--output test/fixtures] [--only CHECKPOINT ...]
Without --only, all the small checkpoints; `--only tiny` adds the cases of the shipped checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from chat_fixtures import write_chat_fixtures
from cases import CASES, TINY, TINY_CASES, TINY_PICTURE, Case, describe, draw_scene
from checkpoint_settings import CHECKPOINTS
from diffusers import FluxKontextPipeline
from fields import fields_table
from flux2_files import write_flux2_files
from flux2_layouts import published_table
from flux2_loras import lora_table
from flux2_transformer import write_flux2_transformers
from few_step_loras import write_few_step_loras
from flux2_autoencoder import write_flux2_autoencoders
from drawn.write_drawn import KLEIN, KONTEXT, write_drawn
from gguf_files import write_gguf_files
from index_fields import index_fields
from inpaint import inpaint_fixtures
from klein.loras import write_klein_loras
from klein.write_cases import write_klein_cases
from layouts import layout_fixtures
from loras import write_loras
from masks import mask_fixtures
from picture_forms import write_picture_forms
from qwen3_files import write_qwen3_files
from qwen3_stages import write_qwen3
from PIL import Image
import tools_folder  # noqa: F401  (first)
from pipeline import load_pipeline
from recipe import recipe_fixtures
from recorder import record_edit
from sampler_steps import sampler_step_tensors
from scheduler_fields import scheduler_table, step_tensors
from safetensors.torch import load_file, save_file
from single_files import write_single_files
from table_files import read_table, write_table
from tables import TEXTS, noise_table, schedule_table, token_table
from tiles import tile_tensors
from tokenizer_fixtures import write_tokenizer_fixtures

REPOSITORY = Path(__file__).resolve().parents[2]
FIXTURES = REPOSITORY / "test" / "fixtures"
ALL_CASES = [*CASES, *TINY_CASES]
TILED = ["plain", "odd"]  # two scale factors, with and without the convolutions beside the latents
SINGLE_FILE_CASE = CASES[0]  # of the checkpoint whose single files are run


def checkpoint_folder(name: str) -> str:
    """Give a checkpoint's folder, relative to the repository."""
    return f"checkpoints/{TINY}" if name == TINY else f"test/fixtures/checkpoints/{name}"


def write_picture(output: Path, name: str) -> Path:
    """Write the input image of a case; its name contains its size."""
    path = output / "pictures" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = (int(side) for side in name.removesuffix(".png").split("-")[-1].split("x"))
    if name == TINY_PICTURE:
        original = Image.open(REPOSITORY / "examples" / "bluebird.png").convert("RGB")
        original.resize((width, height), Image.Resampling.LANCZOS).save(path, optimize=True)
    else:
        draw_scene(width, height).save(path, optimize=True)
    return path


def write_case(output: Path, case: Case, pipeline: FluxKontextPipeline) -> None:
    image = Image.open(write_picture(output, case.picture))
    tensors = record_edit(pipeline, image, case.edit, case.kept_steps)
    (output / "cases").mkdir(exist_ok=True)
    save_file(tensors, output / "cases" / f"{case.name}.safetensors")


def write_checkpoint_fixtures(output: Path, name: str) -> None:
    """Write the cases of one checkpoint and its part of the tables."""
    folder = REPOSITORY / checkpoint_folder(name)
    pipeline = load_pipeline(folder)
    for case in ALL_CASES:
        if case.checkpoint == name:
            write_case(output, case, pipeline)
    if name in TILED:
        (output / "tiles").mkdir(exist_ok=True)
        save_file(tile_tensors(pipeline.vae), output / "tiles" / f"{name}.safetensors")
    tokens = read_table(output / "tokens.json") or {"checkpoints": {}}
    rows = tokens["checkpoints"] | {name: token_table(pipeline, folder)}
    write_table(output / "tokens.json", {"texts": TEXTS, "checkpoints": rows})
    schedules = read_table(output / "schedule.json") | {name: schedule_table(pipeline.scheduler)}
    write_table(output / "schedule.json", schedules)


def write_fixtures(output: Path, names: list[str]) -> None:
    """Write the fixtures of the named checkpoints; existing ones of other checkpoints stay."""
    output.mkdir(parents=True, exist_ok=True)
    save_file(noise_table(), output / "noise.safetensors")
    write_table(output / "scheduler.json", scheduler_table())
    save_file(step_tensors(), output / "scheduler-steps.safetensors")
    save_file(sampler_step_tensors(), output / "sampler-steps.safetensors")
    for name in names:
        write_checkpoint_fixtures(output, name)
    case = load_file(FIXTURES / "cases" / f"{SINGLE_FILE_CASE.name}.safetensors")
    write_single_files(output / "single-files", FIXTURES / "checkpoints", case, SINGLE_FILE_CASE.edit.guidance)
    plain = FIXTURES / "checkpoints" / SINGLE_FILE_CASE.checkpoint
    write_loras(output / "loras", plain, case, SINGLE_FILE_CASE.edit.guidance)
    write_few_step_loras(output / "loras", plain, case, SINGLE_FILE_CASE.edit.guidance)
    calls, tensors = recipe_fixtures(plain)
    write_table(output / "recipe.json", calls)
    save_file(tensors, output / "recipe.safetensors")
    for file, (table, tensors) in {"masks": mask_fixtures(), "inpaint": inpaint_fixtures()}.items():
        write_table(output / f"{file}.json", table)
        save_file(tensors, output / f"{file}.safetensors")
    layouts, layout_tensors = layout_fixtures(FIXTURES / "checkpoints")
    write_table(output / "layouts.json", layouts)
    save_file(layout_tensors, output / "layouts.safetensors")
    write_gguf_files(output / "gguf", FIXTURES / "checkpoints")
    write_table(output / "fields.json", fields_table())
    write_table(output / "index-fields.json", index_fields())
    write_table(output / "flux2-published.json", published_table())
    write_flux2_files(output / "flux2-files")
    lora_files, lora_velocities = lora_table()
    write_table(output / "flux2-loras.json", lora_files)
    save_file(lora_velocities, output / "flux2-loras.safetensors")
    write_table(output / "flux2-transformer.json", write_flux2_transformers(output / "flux2-transformer"))
    write_tokenizer_fixtures(output)
    write_chat_fixtures(output)
    write_picture_forms(output)
    write_qwen3(output / "qwen3")
    write_table(output / "qwen3" / "published.json", write_qwen3_files(output / "qwen3"))
    write_drawn(output / "drawn", KONTEXT)
    write_drawn(output / "klein" / "drawn", KLEIN)
    write_flux2_autoencoders(output / "flux2-autoencoders")
    write_klein_cases(output / "klein")
    write_klein_loras(output / "klein")
    present = [case for case in ALL_CASES if (output / "cases" / f"{case.name}.safetensors").exists()]
    write_table(output / "cases.json", [describe(case, checkpoint_folder(case.checkpoint)) for case in present])


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the reference numbers of the tests.")
    parser.add_argument("--output", type=Path, default=FIXTURES)
    parser.add_argument("--only", nargs="*", choices=[*CHECKPOINTS, TINY], default=list(CHECKPOINTS))
    arguments = parser.parse_args()
    write_fixtures(arguments.output, arguments.only)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
