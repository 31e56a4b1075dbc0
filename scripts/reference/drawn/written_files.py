"""Writes files by their description."""

from __future__ import annotations

import base64
from pathlib import Path

from drawn.gguf_blocks import write_gguf
from drawn.stored import Files, filled
from safetensors.torch import save_file


def write_files(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "gguf" in content:
            write_gguf(path, content)
        elif "tensors" in content:
            tensors = {key: filled(content["salt"], key, rule) for key, rule in content["tensors"].items()}
            save_file(tensors, path, metadata=content.get("metadata", {"format": "pt"}))
        elif "bytes" in content:
            path.write_bytes(base64.b64decode(content["bytes"]))
        else:
            path.write_bytes(content["text"].encode())
