"""Draws LoRAs of the transformer, as several trainers write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import FluxKontextPipeline
from draw import Draw
from stored import Files

def draw_loras(draw: Draw, transformer: dict[str, Any]) -> tuple[list[dict[str, Any]], Files]:
    return [], {}

def load_loras(pipeline: FluxKontextPipeline, folder: Path, loras: list[dict[str, Any]]) -> None:
    pass
