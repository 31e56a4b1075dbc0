#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) beside tokenizers 0.22.1 (the Rust original, from Python).
#
# A word-level or unigram model without an unknown token, given a word that it does not know: the original raises; the
# JavaScript package returns a list of ids with a hole in it, undefined or null. The list has the right length, and
# BigInt64Array.from(ids, BigInt) or an embedding look-up fails far from the cause, or not at all. So check every id of an
# encoding, or that the model file has its unknown token, before the ids reach a network.
#
# Output on 2026-11-29:
#   javascript  WordLevel  number,undefined,number
#   javascript  Unigram    number,object,number
#   original    WordLevel  raises
#   original    Unigram    raises
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >models.json <<'JSON'
{
  "WordLevel": { "type": "WordLevel", "vocab": { "a": 0, "b": 1 }, "unk_token": "[UNK]" },
  "Unigram": { "type": "Unigram", "vocab": [["a", -1.0], ["b", -2.0]], "unk_id": null }
}
JSON
cat >javascript.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
const rest = { version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null };
const steps = { pre_tokenizer: { type: "Whitespace" }, post_processor: null, decoder: null };
for (const [name, model] of Object.entries(JSON.parse(readFileSync("models.json", "utf8")))) {
  const { ids } = new Tokenizer({ ...rest, ...steps, model }, {}).encode("a c b");
  console.log("javascript ", name.padEnd(10), ids.map((id) => typeof id).join());
}
JS
cat >original.py <<'PYTHON'
import json
from tokenizers import Tokenizer
rest = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
steps = {"pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None}
for name, model in json.load(open("models.json")).items():
    tokenizer = Tokenizer.from_str(json.dumps({**rest, **steps, "model": model}))
    try:
        outcome = tokenizer.encode("a c b").ids
    except Exception:
        outcome = "raises"
    print("original   ", name.ljust(10), outcome)
PYTHON

npm init --yes >/dev/null
npm install --silent --ignore-scripts @huggingface/tokenizers@0.2.0
python3 -m venv python
python/bin/pip install --quiet --no-deps tokenizers==0.22.1
{
  node javascript.mjs
  python/bin/python original.py
} | tee found
diff found - <<'EXPECTED'
javascript  WordLevel  number,undefined,number
javascript  Unigram    number,object,number
original    WordLevel  raises
original    Unigram    raises
EXPECTED
