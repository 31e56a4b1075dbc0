"""Draws prompts by seed, and writes what the reference makes of them for every form of a folder with a chat template.

Usage: python scripts/reference/chat_fuzz.py --output FOLDER [--seed 1] [--texts 2000]
`npm run test:tokenizers -- --chat` runs this and compares.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from chat_forms import all_names, chat_folder
from chat_rows import chat_rows
from tokenizer_folders import write_files
from tokenizer_texts import draw_texts


def main() -> None:
    parser = argparse.ArgumentParser(description="Write tokenizer folders with chat templates, prompts and the reference's ids.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=2000)
    arguments = parser.parse_args()
    texts = draw_texts(random.Random(arguments.seed), arguments.texts)
    index = []
    for number, name in enumerate(all_names()):
        folder = chat_folder(name)
        place = arguments.output / str(number)
        write_files(place / "tokenizer", folder.files)
        (place / "model_index.json").write_text(json.dumps({"_class_name": "Flux2KleinPipeline", "tokenizer": ["transformers", folder.class_name]}))
        (place / "rows.json").write_text(json.dumps(chat_rows(folder, texts)))
        index.append({"name": name, "component": "tokenizer"})
    (arguments.output / "texts.json").write_text(json.dumps({"texts": texts, "folders": index}))


if __name__ == "__main__":
    main()
