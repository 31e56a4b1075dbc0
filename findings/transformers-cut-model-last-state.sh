#!/usr/bin/env bash
# transformers 5.23.0, torch 2.13.0, Qwen3 (FLUX.2 [klein] reads the states of its layers 9, 18 and 27).
#
# hidden_states[k] is what layer k returned, but the last of the list is normed: the model's final norm is applied to it. A model that was
# cut after the last layer that is read, to save the rest, therefore returns another hidden_states[k] than the whole one, for that
# k alone, with the same weights and without a word. Keep one layer more, or replace the final norm by nothing.
#
# Output on 2026-12-01:
#   hidden_states[0] equal: True
#   hidden_states[1] equal: True
#   hidden_states[2] equal: False
#   hidden_states[2] of the whole model, normed, equal: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >states.py <<'PYTHON'
import torch
from transformers import Qwen3Config, Qwen3Model

torch.manual_seed(0)


def model(layers):
    sizes = dict(vocab_size=64, hidden_size=32, intermediate_size=64, num_attention_heads=2, num_key_value_heads=1, head_dim=16)
    return Qwen3Model(Qwen3Config(num_hidden_layers=layers, **sizes)).eval()


whole, cut = model(4), model(2)
dropped = ("layers.2.", "layers.3.")
cut.load_state_dict({name: value for name, value in whole.state_dict().items() if not name.startswith(dropped)})
ids = torch.arange(5)[None]
with torch.no_grad():
    states = whole(ids, output_hidden_states=True).hidden_states
    found = cut(ids, output_hidden_states=True).hidden_states
    for k, state in enumerate(found):
        print(f"hidden_states[{k}] equal: {torch.equal(state, states[k])}")
    print(f"hidden_states[2] of the whole model, normed, equal: {torch.equal(found[2], whole.norm(states[2]))}")
PYTHON

python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
python/bin/pip install --quiet --disable-pip-version-check transformers==5.23.0
python/bin/python states.py 2>/dev/null | tee found
diff found - <<'EXPECTED'
hidden_states[0] equal: True
hidden_states[1] equal: True
hidden_states[2] equal: False
hidden_states[2] of the whole model, normed, equal: True
EXPECTED
