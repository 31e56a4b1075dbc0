"""Every field of every tokenizer file, taken from the pinned classes, set to another value: what the ids become.

A field for which `OTHER_VALUES` has no value ends this script with a sentence: a new release of the libraries that
reads one more field shows itself.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import textwrap
from typing import Any

from sentencepiece import sentencepiece_model_pb2
from tokenizer_folders import CONFIG, DEFINITION, Files, Folder, added
from tokenizer_rows import rows_of, short_hash
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram
from transformers import CLIPTokenizer, Qwen2TokenizerFast, T5TokenizerFast
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import TokenizersBackend

TEXTS = ["a bird <|endoftext|> </s> <extra_id_0> hat", "Make it ΑΣ night: the hütte's LIGHTS zqzq on ½", "the red car " * 8, "<cat> <cat>_1 bird"]
ABSENT = "(absent)"

LEFT = {"direction": "left", "max_length": 9, "strategy": "longest_first", "stride": 0}
OTHER_VALUES: dict[str, list[Any]] = {
    **{role: ["bird", "<new>", None, 5] for role in PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES},
    "vocab": [["a"]], "merges": [[["b", "i"]]], "_spm_precompiled_charsmap": ["x"], "extra_ids": [3, 0, -1, None, "5"],
    "additional_special_tokens": [["bird"], [], None, 5], "extra_special_tokens": [["bird"], {"x_token": "bird"}, 5],
    "model_specific_special_tokens": [{"x": "bird"}, 5], "added_tokens_decoder": [{"9": added("bird")}, {}, None, {"x": added("bird")}],
    "padding_side": ["left", "up", None], "truncation_side": ["left", "up", None], "split_special_tokens": [True, None],
    "model_max_length": [20], "max_len": [20], "_json_truncation": [LEFT], "tokenizer_truncation": [LEFT],
    "_json_padding": [{"direction": "left"}], "tokenizer_padding": [{"direction": "left"}], "post_processor": [{"type": "ByteLevel"}],
    "tokenizer_object": [{"a": 1}], "gguf_file": ["x.gguf"], "init_inputs": [[1], []], "tokenizer_file": ["x.json"],
    "vocab_file": ["x.model"], "merges_file": ["x.txt"], "fast_tokenizer_files": [["tokenizer.4.0.0.json"]], "backend": ["other"],
    "add_prefix_space": [True], "add_bos_token": [True], "add_eos_token": [True, False], "add_special_tokens": [False], "name_or_path": ["x"],
    "processor_class": ["x"], "verbose": [True], "model_input_names": [["attention_mask"]], "clean_up_tokenization_spaces": [True],
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output": [True], "chat_template": ["x"], "response_template": ["x"],
    "response_schema": ["x"], "chat_control_tokens": [["x"]], "files_loaded": [["x"]], "tokenizer_class": ["BertTokenizer"],
    "auto_map": [{"AutoTokenizer": ["x", None]}], "tokenizer": ["x"], "fix_mistral_regex": [True], "is_local": [False],
    "local_files_only": [True], "unk_id": [0], "max_length": [9], "stride": [2], "truncation_strategy": ["only_first"],
    "pad_token_type_id": [1], "pad_to_multiple_of": [8], "x_token": ["bird", 5],
    # Of classes before transformers 5.
    "do_lower_case": [False], "errors": ["strict"], "legacy": [False, True], "sp_model_kwargs": [{"enable_sampling": True}], "use_fast": [False],
    "special_tokens_map_file": ["x.json"], "from_slow": [True], "strip_accents": [True], "keep_accents": [True], "remove_space": [True],
}  # fmt: skip
OLDER = list(OTHER_VALUES)[-10:]

STEP = {"type": "Lowercase"}
DEFINITION_VALUES: dict[str, list[Any]] = {
    "version": [ABSENT], "truncation": [{"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}],
    "padding": [{"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": 4, "pad_id": 3, "pad_type_id": 0, "pad_token": "!"}],
    "added_tokens": [[{"id": 7, **added("bird")}], [], ABSENT], "normalizer": [STEP, None, {"type": "Sequence", "normalizers": [STEP]}],
    "pre_tokenizer": [{"type": "WhitespaceSplit"}], "post_processor": [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}],
    "decoder": [{"type": "Fuse"}], "model": [{}], "model.type": [ABSENT], "model.dropout": [0.5], "model.unk_token": ["bird"],
    "model.continuing_subword_prefix": ["##"], "model.end_of_word_suffix": [""], "model.fuse_unk": [True], "model.byte_fallback": [True],
    "model.ignore_merges": [True], "model.vocab": [5, []], "model.merges": [[], 5], "model.unk_id": [0],
}  # fmt: skip


def fields_read(function: Any) -> set[str]:
    """Give the names that a function takes out of a dictionary of fields: `fields.pop("x")`, `.get`, `.setdefault`, `"x" in`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("pop", "get", "setdefault"):
            owner, constant = node.func.value, node.args[0] if node.args else None
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            owner, constant = node.comparators[0], node.left
        else:
            continue
        is_fields = isinstance(owner, ast.Name) and owner.id in ("kwargs", "init_kwargs", "local_kwargs", "tokenizer_config")
        if is_fields and isinstance(constant, ast.Constant) and isinstance(constant.value, str):
            names.add(constant.value)
    return names


def config_fields() -> set[str]:
    """Give every field of `tokenizer_config.json` that the classes read."""
    names: set[str] = set()
    base, backend = PreTrainedTokenizerBase, TokenizersBackend
    for function in (base.__init__, base._from_pretrained.__func__, base.from_pretrained.__func__, backend.__init__,
                     backend.convert_to_native_format.__func__):  # fmt: skip
        names |= fields_read(function)
    for kind in (CLIPTokenizer, T5TokenizerFast, Qwen2TokenizerFast):
        names |= {name for name, each in inspect.signature(kind.__init__).parameters.items() if each.kind is each.POSITIONAL_OR_KEYWORD}
    # Arguments of `from_pretrained` that it does not look for in the file.
    arguments = {"self", "proxies", "subfolder", "_from_pipeline", "_from_auto", "_commit_hash", "trust_remote_code"}
    return (names - arguments) | set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)


def definition_fields() -> set[str]:
    names: set[str] = set()
    for model in (BPE({"a": 0}, []), Unigram([("a", 0.0)], 0)):
        content = json.loads(Tokenizer(model).to_str())
        names |= set(content) | {f"model.{name}" for name in content["model"]}
    return names


def table(bases: dict[str, Folder]) -> dict[str, Any]:
    """Give the rows of each plain folder, and those with each field at each other value."""
    entries: list[dict[str, Any]] = []
    names = config_fields()
    missing = sorted((names - set(OTHER_VALUES)) | (definition_fields() - set(DEFINITION_VALUES)))
    if missing:
        raise SystemExit(f"The classes read fields that tokenizer_fields.py has no other value for: {', '.join(missing)}.")
    for base, folder in bases.items():
        for name in sorted(names | {"x_token", *OLDER}):
            entries += [entry(base, folder, CONFIG, name, value) for value in OTHER_VALUES[name]]
        if DEFINITION in folder.files:
            for name in sorted(definition_fields()):
                entries += [entry(base, folder, DEFINITION, name, value) for value in DEFINITION_VALUES[name]]
        if "spiece.model" in folder.files:
            entries += [model_entry(base, folder, name, part) for name, part in model_parts()]
    plain = {base: row_hash(folder, folder.files) for base, folder in bases.items()}
    changed = {f"{each['file']}: {each['field']}" for each in entries if each["rows"] != plain[each["base"]]}
    unchanged = sorted({f"{each['file']}: {each['field']}" for each in entries} - changed)
    return {"texts": TEXTS, "plain": plain, "changesNothing": unchanged, "entries": entries}


def entry(base: str, folder: Folder, file: str, field: str, value: Any) -> dict[str, Any]:
    files: Files = json_copy(folder.files, file)
    *path, last = field.split(".")
    place = files[file]
    for name in path:
        place = place[name]
    if value == ABSENT:
        place.pop(last, None)
    else:
        place[last] = value
    return {"base": base, "file": file, "field": field, "value": value, "rows": row_hash(folder, files)}


def json_copy(files: Files, name: str) -> Files:
    return {**files, name: json.loads(json.dumps(files[name]))}


def model_parts() -> list[tuple[str, bytes]]:
    """Give every field of a SentencePiece model's settings with another value, as bytes that follow a model."""
    parts: list[tuple[str, bytes]] = []
    groups = [field for field in sentencepiece_model_pb2.ModelProto.DESCRIPTOR.fields if field.name != "pieces"]
    for group in groups:
        for field in group.message_type.fields:
            model = sentencepiece_model_pb2.ModelProto()
            target = getattr(model, group.name)
            if field.message_type is not None:
                getattr(target, field.name).add()
            elif field.is_repeated:
                getattr(target, field.name).append("bird" if field.type == field.TYPE_STRING else 1)
            else:
                default = field.default_value
                other = {bool: not default, str: "bird", bytes: b"x"}.get(type(default), 0 if default else 2)
                setattr(target, field.name, 2 if field.enum_type is not None else other)
            parts.append((f"{group.name}.{field.name}", model.SerializePartialToString()))
    for name, kind in (("normal", 1), ("unknown", 2), ("control", 3), ("user defined", 4), ("unused", 5), ("byte", 6)):
        model = sentencepiece_model_pb2.ModelProto()
        model.pieces.add(piece="<cat>", score=-1.0, type=kind)
        parts.append((f"pieces.type: {name}", model.SerializePartialToString()))
    return parts


def model_entry(base: str, folder: Folder, field: str, part: bytes) -> dict[str, Any]:
    files = {**folder.files, "spiece.model": folder.files["spiece.model"] + part}
    value = base64.b64encode(part).decode()
    return {"base": base, "file": "spiece.model", "field": field, "value": value, "rows": row_hash(folder, files)}


def row_hash(folder: Folder, files: Files) -> str:
    rows = rows_of(Folder(folder.name, folder.class_name, files), TEXTS)
    return "refused" if rows is None else short_hash(rows)
