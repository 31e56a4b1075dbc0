"""Writes the fixture of the chat templates: folders of many forms, and what the reference makes of prompts."""

from __future__ import annotations

import random
from pathlib import Path

from chat_forms import FORMS, chat_folder
from chat_rows import chat_rows
from tokenizer_fixtures import Contents, write
from tokenizer_texts import draw_texts

SEED, NUM_TEXTS = 21, 120
# Every form once, on the base that it says more about.
NAMES = ["qwen-files", "qwen-json", *(f"qwen-files+{form}" for form in FORMS), "qwen-json+list", "qwen-json+truncation-left"]


def write_chat_fixtures(output: Path) -> None:
    """Write `chats.json`."""
    texts = draw_texts(random.Random(SEED), NUM_TEXTS)
    contents = Contents()
    folders = []
    for name in NAMES:
        folder = chat_folder(name)
        files = {file: contents.number(content) for file, content in folder.files.items()}
        rows = chat_rows(folder, texts)
        folders.append({"name": name, "class": folder.class_name, "files": files, "rows": "refused" if rows is None else " ".join(rows)})
    write(output / "chats.json", {"texts": texts, "folders": folders, "contents": contents.listed})


if __name__ == "__main__":
    write_chat_fixtures(Path(__file__).resolve().parents[2] / "test" / "fixtures")
