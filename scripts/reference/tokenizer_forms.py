"""Tokenizer folders of every form that checkpoints on the hub have, as changes of the plain ones."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import ADDED, BASES, CONFIG, DEFINITION, SPECIALS, Files, Folder, added, clip_json_files, nfkc_charsmap, t5_json_files, t5_model

@dataclass(frozen=True)
class Form:
    """A change of the files of any plain folder that has the files it needs."""

    name: str
    change: Callable[[Files], None]
    needs: tuple[str, ...] = (CONFIG,)
    without: tuple[str, ...] = ()
    bases: tuple[str, ...] = field(default=tuple(BASES))

    def fits(self, base: str, files: Files) -> bool:
        return base in self.bases and all(name in files for name in self.needs) and not any(name in files for name in self.without)


FORMS: list[Form] = []


def form(name: str, **conditions: Any) -> Callable[[Callable[[Files], None]], Callable[[Files], None]]:
    def register(change: Callable[[Files], None]) -> Callable[[Files], None]:
        FORMS.append(Form(name, change, **conditions))
        return change

    return register


def sets(name: str, values: dict[str, Any], file: str = CONFIG, **conditions: Any) -> None:
    """Register a form that sets fields of a file; the file is made where it is missing."""

    def change(files: Files) -> None:
        files[file] = {**files.get(file, {}), **values}

    FORMS.append(Form(name, change, **{"needs": (), **conditions}))


CLIPS, T5S = {"bases": ("clip-files", "clip-json")}, {"bases": ("t5-model", "t5-json")}
QWENS = {"bases": ("qwen-files", "qwen-json")}
sets("padding-left", {"padding_side": "left"})
sets("truncation-left", {"truncation_side": "left"})
sets("split-special", {"split_special_tokens": True})
sets("no-length", {"model_max_length": None, "max_len": 30})
sets("endless", {"model_max_length": 1000000000000000019884624838656})
sets("flags", {"add_prefix_space": True, "legacy": False, "add_eos_token": False, "add_bos_token": True, "use_fast": False,
               "clean_up_tokenization_spaces": True, "errors": "strict", "do_lower_case": False, "sp_model_kwargs": {}})  # fmt: skip
sets("pad-renamed", {"pad_token": "<mypad>"})
sets("pad-in-vocabulary", {"pad_token": "!"})
sets("end-renamed", {"eos_token": "<myend>"})
sets("end-is-a-word", {"eos_token": "bird"})
sets("start-renamed", {"bos_token": "<mystart>"})
sets("unknown-renamed", {"unk_token": "<myunk>"})
sets("unknown-null", {"unk_token": None})
sets("more-roles", {"mask_token": "<mask>", "cls_token": "cat", "sep_token": "<SEP>", "image_token": "<image>"})
sets("extra-list", {"extra_special_tokens": ["<cat>", "Bird", "in the", " hat"]})
sets("extra-object", {"extra_special_tokens": {"cat_token": "<cat>", "bird_token": "Bird"}})
sets("additional", {"additional_special_tokens": ["<cat>", "<|image|>", "BIRD"]})
sets("extra-typed", {"extra_special_tokens": [{"__type": "AddedToken", **added("<CAT>", normalized=True, lstrip=True)}, "dog"]})
sets("typed-roles", {"eos_token": {"__type": "AddedToken", **added("<|endoftext|>", rstrip=True)},
                     "unk_token": {"__type": "AddedToken", "content": "<unk>", "normalized": True}})  # fmt: skip
sets("numbered", {"added_tokens_decoder": {"900": added("<cat>", special=False), "901": added("<cat>_1", special=False),
                                           "902": added("<cat>_2", special=False, normalized=True), "903": added("dog"),
                                           "904": added("dog_1")}})  # fmt: skip
sets("decoder-empty", {"added_tokens_decoder": {}})
sets("decoder-plain", {"added_tokens_decoder": {"12": {"content": "hat"}, "3": {"content": "Red Car"}, "700": added("<|endoftext|>")}})
sets("decoder-strips", {"added_tokens_decoder": {
    "900": added("<cat>", lstrip=True), "901": added("<dog>", rstrip=True), "902": added("<x>", lstrip=True, rstrip=True),
    "903": added("bird", single_word=True), "904": added("HAT", normalized=True, single_word=True, special=False),
    "905": added(" in ", normalized=True), "906": added("é", normalized=True, special=False), "907": added("½")}})  # fmt: skip
sets("decoder-overlaps", {"added_tokens_decoder": {
    "5": added("bi"), "4": added("bird"), "900": added("rd o"), "901": added("ird", normalized=True),
    "902": added("ΣΑΣ", normalized=True, special=False), "903": added("İs", normalized=True)}})  # fmt: skip
sets("map", {"eos_token": added("<|endoftext|>", lstrip=True), "pad_token": "!", "additional_special_tokens": ["<cat>", "dog"]}, SPECIALS)
sets("map-extra", {"extra_special_tokens": ["<cat>", {"content": "hat", "rstrip": True}]}, SPECIALS)
sets("map-typed", {"unk_token": {"content": "<unk>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}}, SPECIALS)
sets("map-placeholders", {"additional_special_tokens": [f"<extra_id_{index}>" for index in range(8)]}, SPECIALS)
sets("added-file", {"<cat>": 900, "Bird": 901, "the hat": 899}, ADDED)
sets("added-file-special", {"<|endoftext|>": 2, "</s>": 1, "<mypad>": 3, "dog": 903}, ADDED)
sets("fewer-placeholders", {"extra_ids": 3}, **T5S)
sets("no-placeholders", {"extra_ids": 0, "additional_special_tokens": []}, **T5S)


sets("prefix-space", {"add_prefix_space": True}, **QWENS)
sets("framed", {"add_bos_token": True, "add_eos_token": True, "bos_token": "<|im_start|>"}, **QWENS)
sets("framed-unknown", {"add_bos_token": True, "add_eos_token": True}, **QWENS)
sets("listed-again", {"additional_special_tokens": ["<|im_start|>", "<think>", "<cat>"]}, **QWENS)
sets("older-tokens", {"<|im_start|>": 4001, "<think>": 4000, "<cat>": 4002}, ADDED, **QWENS)


@form("processor-frame", needs=(DEFINITION,), **QWENS)
def _(files: Files) -> None:
    frame = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
             {"SpecialToken": {"id": "E", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
             "special_tokens": {"B": {"id": "B", "ids": [5, 6], "tokens": ["a", "b"]}, "E": {"id": "E", "ids": [7], "tokens": ["c"]}}}  # fmt: skip
    files[DEFINITION]["post_processor"] = {"type": "Sequence", "processors": [files[DEFINITION]["post_processor"], frame]}


@form("processor-plain", needs=(DEFINITION,), **QWENS)
def _(files: Files) -> None:
    files[DEFINITION]["post_processor"] = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {}}  # fmt: skip


@form("processor-none", needs=(DEFINITION,), **QWENS)
def _(files: Files) -> None:
    files[DEFINITION]["post_processor"] = None


@form("bytes-missing-json", needs=(DEFINITION,), **QWENS)
def _(files: Files) -> None:
    model = files[DEFINITION]["model"]
    used = {symbol for pair in model["merges"] for symbol in pair}
    missing = [token for token in model["vocab"] if token not in used and len(token) == 1][::3]
    model["vocab"] = {token: index for token, index in model["vocab"].items() if token not in missing}


@form("no-config")
def _(files: Files) -> None:
    del files[CONFIG]


@form("default-placeholders")
def _(files: Files) -> None:
    for name in ("extra_ids", "additional_special_tokens"):
        files[CONFIG].pop(name, None)


@form("crlf", needs=("merges.txt",))
def _(files: Files) -> None:
    files["merges.txt"] = files["merges.txt"].replace(b"\n", b"\r\n")


@form("no-version-line", needs=("merges.txt",))
def _(files: Files) -> None:
    files["merges.txt"] = files["merges.txt"].split(b"\n", 1)[1].rstrip(b"\n")


@form("bytes-missing", needs=("vocab.json",))
def _(files: Files) -> None:
    files["vocab.json"] = {token: index for token, index in files["vocab.json"].items() if token not in ("Ã", "Ï</w>", "ð", "×")}


@form("ids-apart", needs=("vocab.json",))
def _(files: Files) -> None:
    files["vocab.json"] = {token: index * 2 for token, index in files["vocab.json"].items()} | {"note": "no id"}


@form("other-steps", needs=(DEFINITION,))
def _(files: Files) -> None:
    lower, strip = {"type": "Lowercase"}, {"type": "StripAccents"}
    normalizer = files[DEFINITION]["normalizer"]
    files[DEFINITION]["normalizer"] = {"type": "Sequence", "normalizers": [lower, strip, *([normalizer] if normalizer else [])]}
    files[DEFINITION]["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": False}
    files[DEFINITION]["post_processor"] = {"type": "RobertaProcessing", "sep": ["a", 5], "cls": ["b", 6], "trim_offsets": True, "add_prefix_space": True}


@form("other-unknown", needs=(DEFINITION,), **T5S)
def _(files: Files) -> None:
    files[DEFINITION]["model"] |= {"unk_id": 0, "byte_fallback": True}


@form("definition-left", needs=(DEFINITION,))
def _(files: Files) -> None:
    files[DEFINITION]["truncation"] = {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
    files[DEFINITION]["padding"] = {"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 3, "pad_type_id": 0, "pad_token": "!"}


@form("definition-tokens", needs=(DEFINITION,))
def _(files: Files) -> None:
    files[DEFINITION]["added_tokens"] += [
        {"id": 5000, **added("<cat>", normalized=True)}, {"id": 5001, **added("Bird", special=False, normalized=True)},
        {"id": 5002, **added("hat", single_word=True)}, {"id": 5003, **added("!", special=False)},
    ]  # fmt: skip


@form("definition-no-tokens", needs=(DEFINITION,))
def _(files: Files) -> None:
    files[DEFINITION]["added_tokens"] = []


@form("merge-texts", needs=(DEFINITION,), **CLIPS)
def _(files: Files) -> None:
    model = files[DEFINITION]["model"]
    model["merges"] = [" ".join(pair) for pair in model["merges"]]


@form("versioned", needs=(DEFINITION,))
def _(files: Files) -> None:
    files["tokenizer.4.0.0.json"] = json.loads(json.dumps(files[DEFINITION]))
    files["tokenizer.4.0.0.json"]["added_tokens"] += [{"id": 6000, **added("bird")}]
    files[CONFIG] = {**files.get(CONFIG, {}), "fast_tokenizer_files": ["tokenizer.4.0.0.json", "tokenizer.9.0.0.json", "tokenizer.json"]}


@form("both", needs=("spiece.model",))
def _(files: Files) -> None:
    files.update(t5_json_files(300, "none") | {CONFIG: files.get(CONFIG, {})})


@form("both", needs=("vocab.json",))
def _(files: Files) -> None:
    files.update(clip_json_files(100) | {CONFIG: files.get(CONFIG, {})})


@form("other-name", needs=("spiece.model",), without=(DEFINITION,))
def _(files: Files) -> None:
    files["tokenizer.model"] = t5_model(300, "none")


def pieces_form(name: str, change: Callable[[Any], None]) -> None:
    def change_model(files: Files) -> None:
        model = sentencepiece_model_pb2.ModelProto.FromString(files["spiece.model"])
        change(model)
        files["spiece.model"] = model.SerializeToString(deterministic=True)

    FORMS.append(Form(name, change_model, needs=("spiece.model",)))


def user_defined(model: Any) -> None:
    for text in ("<cat>", "Bird", "in the"):
        model.pieces.add(piece=text, score=0, type=4)
    model.pieces[8].type = 4


def placeholders(model: Any) -> None:
    for index in range(8):
        model.pieces.add(piece=f"<extra_id_{index}>", score=0, type=4)


def settings(model: Any) -> None:
    model.normalizer_spec.add_dummy_prefix = model.normalizer_spec.remove_extra_whitespaces = False
    model.trainer_spec.byte_fallback, model.trainer_spec.unk_id, model.trainer_spec.model_type = True, 0, 2
    model.pieces[9].type = 5


pieces_form("user-defined", user_defined)
pieces_form("user-placeholders", placeholders)
pieces_form("model-settings", settings)
pieces_form("no-map", lambda model: model.normalizer_spec.ClearField("precompiled_charsmap"))


def nfkc(model: Any) -> None:
    model.normalizer_spec.precompiled_charsmap = nfkc_charsmap()


pieces_form("nfkc", nfkc)


def single_forms() -> list[Folder]:
    """Give every plain folder, and every form of each that it fits."""
    folders: list[Folder] = []
    for base, (class_name, make) in BASES.items():
        folders.append(Folder(base, class_name, make()))
        for each in FORMS:
            files = make()
            if each.fits(base, files):
                each.change(files)
                folders.append(Folder(f"{base}+{each.name}", class_name, files))
    return folders


def mixed_forms(source: random.Random, count: int) -> list[Folder]:
    """Give folders with two to five forms at once."""
    folders: list[Folder] = []
    while len(folders) < count:
        base = source.choice(list(BASES))
        class_name, make = BASES[base]
        files = make()
        names: list[str] = []
        for each in source.sample(FORMS, source.randint(4, 14)):
            if each.fits(base, files) and len(names) < 5:
                each.change(files)
                names.append(each.name)
        if len(names) >= 2:
            folders.append(Folder("+".join([base, *names]), class_name, files))
    return folders
