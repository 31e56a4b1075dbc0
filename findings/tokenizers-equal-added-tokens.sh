#!/usr/bin/env bash
# tokenizers 0.23.3.
#
# Added tokens with `normalized: true` are looked for in the normalised text, and are normalised themselves. Two of them may
# then be one text: "<cat>" and "<CAT>" under a normaliser that lowers case, as CLIP's does. Neither the first nor the last
# nor the one that is spelt alike wins: which of the two ids a text gets differs from one tokenizer object to the next, made
# from the same definition in the same process. Ids of a prompt are not reproducible with such a folder, and nothing says so.
#
# Output on 2026-11-30:
#   ids of "<cat>" from 100 equal tokenizers: [3, 4]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >tokens.py <<'PYTHON'
from tokenizers import AddedToken, Tokenizer, models, normalizers

seen = set()
for _ in range(100):
    tokenizer = Tokenizer(models.BPE(vocab={"c": 0, "a": 1, "t": 2}, merges=[]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_tokens([AddedToken("<cat>", normalized=True), AddedToken("<CAT>", normalized=True)])
    seen.update(tokenizer.encode("<cat>").ids)
print(f'ids of "<cat>" from 100 equal tokenizers: {sorted(seen)}')
PYTHON

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check tokenizers==0.23.3
python/bin/python tokens.py | tee found
diff found - <<'EXPECTED'
ids of "<cat>" from 100 equal tokenizers: [3, 4]
EXPECTED
