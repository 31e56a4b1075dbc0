#!/usr/bin/env bash
# transformers 5.23.0, T5Tokenizer (its CLIPTokenizer does the same).
#
# A tokenizer folder may list added tokens in added_tokens.json and, since version 4.34, under added_tokens_decoder in
# tokenizer_config.json. The two are not merged: the mere presence of the key, an empty object included, switches the other
# file off, without a word. Tools that write "added_tokens_decoder": {} so take a model's trigger words from its tokenizer,
# and the text is read as pieces or as unknown.
#
# Output on 2026-11-30:
#   without the key: [6, 7, 6, 1]
#   with an empty one: [6, 2, 4, 1]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >tokens.py <<'PYTHON'
import json
import tempfile
from pathlib import Path

from transformers import T5Tokenizer

pieces = ["<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a"]
scores = [0.0, 0.0, 0.0, -2.0, -3.0, -3.0, -1.0]
definition = {
    "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
    "post_processor": None, "decoder": None,
    "model": {"type": "Unigram", "unk_id": 2, "vocab": list(zip(pieces, scores)), "byte_fallback": False},
}
for name, more in {"without the key": {}, "with an empty one": {"added_tokens_decoder": {}}}.items():
    folder = Path(tempfile.mkdtemp(dir="."))
    (folder / "tokenizer.json").write_text(json.dumps(definition))
    (folder / "added_tokens.json").write_text(json.dumps({"<new>": 7}))
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, **more}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    print(f"{name}: {T5Tokenizer.from_pretrained(folder)('a<new>a').input_ids}")
PYTHON

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check transformers==5.23.0
TRANSFORMERS_VERBOSITY=error python/bin/python tokens.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
without the key: [6, 7, 6, 1]
with an empty one: [6, 2, 4, 1]
EXPECTED
