"""The world that the tiny checkpoint is trained on: pictures, instructions, and the exact answer to each."""

from training.scenes.edits import Edit, draw_edit
from training.scenes.render import render

__all__ = ["Edit", "draw_edit", "render"]
