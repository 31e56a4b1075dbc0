"""Draws tokenizer folders and texts by seed, and writes them with the ids of the reference's classes.

Usage: python scripts/reference/tokenizer_fuzz.py --output FOLDER [--seed 1] [--texts 5000] [--mixed 40]
`npm run test:tokenizers` runs this and compares.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from tokenizer_folders import write_files
from tokenizer_forms import mixed_forms, single_forms
from tokenizer_rows import rows_of
from tokenizer_texts import draw_texts


def main() -> None:
    parser = argparse.ArgumentParser(description="Write tokenizer folders, texts and the reference's ids.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--mixed", type=int, default=40)
    arguments = parser.parse_args()
    source = random.Random(arguments.seed)
    texts = draw_texts(source, arguments.texts)
    index = []
    for number, folder in enumerate([*single_forms(), *mixed_forms(source, arguments.mixed)]):
        place = arguments.output / str(number)
        component = "tokenizer" if folder.class_name.startswith("CLIP") else "tokenizer_2"
        write_files(place / component, folder.files)
        model_index = {"_class_name": "FluxKontextPipeline", component: ["transformers", folder.class_name]}
        (place / "model_index.json").write_text(json.dumps(model_index))
        rows = rows_of(folder, texts)
        (place / "rows.json").write_text(json.dumps(rows))
        index.append({"name": folder.name, "component": component})
    (arguments.output / "texts.json").write_text(json.dumps({"texts": texts, "folders": index}))


if __name__ == "__main__":
    main()
