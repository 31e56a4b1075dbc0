"""Reads and writes the tables of the fixtures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_table(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def write_table(path: Path, value: Any) -> None:
    """Write JSON with one line for each row of the tables, so that a change shows in a diff."""

    def text(part: Any, depth: int) -> str:
        is_row = not isinstance(part, (dict, list)) or all(not isinstance(item, dict) for item in values(part))
        if is_row and depth > 0:
            return json.dumps(part, ensure_ascii=True)
        pad = "\n" + "  " * (depth + 1)
        if isinstance(part, dict):
            inside = ",".join(f"{pad}{json.dumps(key)}: {text(item, depth + 1)}" for key, item in part.items())
            return "{" + inside + "\n" + "  " * depth + "}"
        return "[" + ",".join(pad + text(item, depth + 1) for item in part) + "\n" + "  " * depth + "]"

    path.write_text(text(value, 0) + "\n")


def values(part: dict[str, Any] | list[Any]) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else part
