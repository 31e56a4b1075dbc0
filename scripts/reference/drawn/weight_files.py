"""In which files a component's weights lie: one file, shards with an index, both, and variants of the name."""

from __future__ import annotations

from drawn.draw import Draw
from drawn.stored import Files, json_file
from drawn.weights import Rules

STEMS = {"transformer": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model"}
FORMS = ("shards", "single file and index", "index of one file", "variant beside", "shards under other names")


def weight_files(draw: Draw, component: str, rules: Rules) -> Files:
    """Give the files of a component's folder."""
    stem = STEMS.get(component, "model")
    form = draw.rarely(f"{component}.files", "single file", FORMS)
    single = f"{component}/{stem}.safetensors"
    whole = {single: {"salt": component, "tensors": rules}}
    if form == "single file":
        return whole
    if form == "variant beside":
        # Loaded only where a variant is asked for.
        other = {"salt": f"{component}/variant", "tensors": rules}
        return whole | {f"{component}/{stem}.fp16.safetensors": other}
    if form == "index of one file":
        return whole | {f"{single}.index.json": index_of({key: f"{stem}.safetensors" for key in rules})}
    count = 2 + len(component) % 2
    name = "weights_{}_{}.safetensors" if form == "shards under other names" else stem + "-{:05}-of-{:05}.safetensors"
    keys = list(rules)
    shards = [keys[start::count] for start in range(count)]
    names = [name.format(number + 1, count) for number in range(count)]
    salt = f"{component}/shards" if form == "single file and index" else component
    files: Files = {
        f"{component}/{file}": {"salt": salt, "tensors": {key: rules[key] for key in shard}}
        for file, shard in zip(names, shards)
    }
    files[f"{single}.index.json"] = index_of({key: file for file, shard in zip(names, shards) for key in shard})
    return files | whole if form == "single file and index" else files


def index_of(weight_map: dict[str, str]) -> dict[str, str]:
    return json_file({"metadata": {"total_size": 0}, "weight_map": weight_map})
