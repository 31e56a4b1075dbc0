"""Writes the fixtures of the tokenizers: small folders of many forms, every field, and every character."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tokenizer_fields import table
from tokenizer_folders import (
    CLIP, QWEN, T5, Files, Folder, clip_files, clip_json_files, qwen_files, qwen_json_files, t5_files, t5_json_files,
)  # fmt: skip
from tokenizer_forms import FORMS
from tokenizer_rows import rows_of
from tokenizer_texts import draw_texts
from tokenizers import AddedToken, Regex, Tokenizer, normalizers
from tokenizers.models import BPE

SEED, NUM_TEXTS = 20, 180
MERGES, PIECES = 40, 120
BASES: dict[str, tuple[str, Callable[[], Files]]] = {
    "clip-files": (CLIP, lambda: clip_files(MERGES)), "clip-json": (CLIP, lambda: clip_json_files(MERGES)),
    "t5-model": (T5, lambda: t5_files(PIECES)), "t5-json": (T5, lambda: t5_json_files(PIECES, "none")),
    "qwen-files": (QWEN, lambda: qwen_files(MERGES)), "qwen-json": (QWEN, lambda: qwen_json_files(MERGES)),
}  # fmt: skip
# White space before a token, which belongs to it or not.
BEFORE_A_TOKEN = "a red <CAT> and  <CAT>"
# Two or more forms at once where they touch different files.
CHOSEN = [
    "clip-files", "clip-files+crlf+decoder-strips", "clip-files+numbered+truncation-left", "clip-files+no-config+added-file",
    "clip-files+decoder-overlaps+padding-left", "clip-files+map+end-renamed", "clip-files+split-special+extra-list", "clip-files+typed-roles+unknown-renamed",
    "clip-json+other-steps+more-roles", "clip-json+definition-left", "t5-model", "t5-model+user-defined+added-file-special",
    "t5-model+default-placeholders+map-extra", "t5-model+decoder-overlaps+pad-renamed", "t5-json+other-steps+definition-tokens",
    "t5-json+end-is-a-word+padding-left", "t5-model+split-special+extra-typed", "qwen-files+extra-typed", "qwen-json+other-steps",
]  # fmt: skip


def chosen_folder(name: str) -> Folder:
    base, *forms = name.split("+")
    class_name, make = BASES[base]
    files = make()
    for each in forms:
        next(form for form in FORMS if form.name == each and form.fits(base, files)).change(files)
    return Folder(name, class_name, files)


class Contents:
    """The contents of files, each once: a number for each."""

    def __init__(self) -> None:
        self.listed: list[str] = []

    def number(self, content: Any) -> int:
        is_binary = isinstance(content, bytes)
        text = "base64:" + base64.b64encode(content).decode() if is_binary else json.dumps(content, separators=(",", ":"))
        if text not in self.listed:
            self.listed.append(text)
        return self.listed.index(text)


def character_table() -> dict[str, str]:
    """Give hashes of the characters of each class, and of what becomes of each character."""
    kinds = {"letters": r"\p{L}", "numbers": r"\p{N}", "spaces": r"\s"}
    hashes: dict[str, str] = {}
    for name, pattern in kinds.items():
        remove = normalizers.Replace(Regex(pattern), "")
        hashes[name] = digest(character for character in characters() if remove.normalize_str(character) == "")
    words = Tokenizer(BPE({"a": 0}, [], unk_token="a"))
    words.add_tokens([AddedToken("§", single_word=True, normalized=False)])
    hashes["words"] = digest(each for each in characters() if each != "§" and 1 not in words.encode(each + "§").ids)
    nfc, lower = normalizers.NFC(), normalizers.Lowercase()
    # A mark below, one above, one of the class that comes last, and one that overlays: wherever a character moves to.
    hashes["composed"] = digest(nfc.normalize_str(f"e\u0345{each}\u0323{each}\u0334") for each in characters())
    unassigned = normalizers.Replace(Regex(r"\p{Cn}"), "")
    hashes["lower"] = digest(lower.normalize_str(each) for each in characters() if unassigned.normalize_str(each) != "")
    return hashes


def characters() -> Iterator[str]:
    return (chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF)


def digest(texts: Iterator[str]) -> str:
    value = hashlib.sha256()
    for text in texts:
        value.update(text.encode() + b"\0")
    return value.hexdigest()


def write_tokenizer_fixtures(output: Path) -> None:
    """Write `tokenizers.json` (forms), `tokenizer-fields.json` and `characters.json`."""
    texts = [*draw_texts(random.Random(SEED), NUM_TEXTS), BEFORE_A_TOKEN]
    contents = Contents()
    folders = []
    for name in CHOSEN:
        folder = chosen_folder(name)
        files = {file: contents.number(content) for file, content in folder.files.items()}
        rows = rows_of(folder, texts)
        folders.append({"name": name, "class": folder.class_name, "files": files, "rows": "refused" if rows is None else " ".join(rows)})
    write(output / "tokenizers.json", {"texts": texts, "folders": folders, "contents": contents.listed})
    bases = {name: chosen_folder(name) for name in BASES}
    fields = table(bases)
    contents = Contents()
    files = {name: {file: contents.number(content) for file, content in each.files.items()} for name, each in bases.items()}
    write(output / "tokenizer-fields.json", {**fields, "files": files, "contents": contents.listed})
    write(output / "characters.json", character_table())


def write(path: Path, value: dict[str, Any]) -> None:
    """Write one line for each entry of a list, so that a change shows in a diff."""
    lines = []
    for key, part in value.items():
        if isinstance(part, list):
            inside = ",\n".join(json.dumps(item) for item in part)
            lines.append(f"{json.dumps(key)}: [\n{inside}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(part)}")
    path.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    write_tokenizer_fixtures(Path(__file__).resolve().parents[2] / "test" / "fixtures")
