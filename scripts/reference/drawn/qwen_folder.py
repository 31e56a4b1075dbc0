"""Draws the tokenizer folder of klein."""

from __future__ import annotations

import functools
import json
from typing import Any

from drawn.draw import Draw
from drawn.stored import Files, json_file
from drawn.tokenizer_folders import added_tokens
from klein.vocabulary import CHAT_TEMPLATE, number_added, special_tokens, tokenizer_config, tokenizer_json, train

NAME = "tokenizer"
ADDED = ["<bluebird>", "red car"]

# What files in circulation have in place of the class's own parts; transformers rebuilds them.
OTHER_PARTS: dict[str, dict[str, Any]] = {
    "no normalizer": {"normalizer": None},
    "lower-case normalizer": {"normalizer": {"type": "Lowercase"}},
    "whitespace pre-tokenizer": {"pre_tokenizer": {"type": "WhitespaceSplit"}},
    "byte post-processor": {
        "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    },
}
TEMPLATES = {
    "thinking on": CHAT_TEMPLATE.replace("enable_thinking is false", "enable_thinking is true"),
    "old": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>'"
    " + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
}


@functools.cache
def vocabulary_of(merge_count: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    return train(merge_count)


@functools.cache
def json_of(merge_count: int) -> dict[str, Any]:
    return tokenizer_json(*vocabulary_of(merge_count))


def draw_qwen_tokenizer(draw: Draw) -> tuple[int, Files]:
    """Give the number of tokens, and the files."""
    merge_count = draw.one_of(f"{NAME}.merges", [70, 30, 100])
    vocabulary, merges = vocabulary_of(merge_count)
    added = number_added(len(vocabulary))
    specials = special_tokens()
    specials["pad_token"] = draw.rarely(f"{NAME}.pad_token", "<|endoftext|>", ["<|im_end|>", "!"])
    config = tokenizer_config(added) | specials
    config["model_max_length"] = draw.one_of(f"{NAME}.model_max_length", [131072, 40])
    files = word_files(draw, merge_count)
    # A folder without a `tokenizer.json` has its added tokens in one of the other two places.
    places = ["both", "added_tokens_decoder", "added_tokens.json"]
    place = draw.rarely(f"{NAME}.numbers", "both", places[1:])
    if place != "added_tokens.json":
        files["added_tokens.json"] = json_file(added)
    if place == "added_tokens.json":
        del config["added_tokens_decoder"]
    more, other = added_tokens(draw, NAME, ADDED, len(vocabulary) + len(added), config)
    for side in ("padding_side", "truncation_side"):
        value = draw.rarely(f"{NAME}.{side}", None, ["left", "right"])
        config |= {} if value is None else {side: value}
    if draw.rarely(f"{NAME}.add_prefix_space", False, [True]):
        config["add_prefix_space"] = True
    files |= other | template_files(draw, config)
    files["tokenizer_config.json"] = json_file(config)
    if draw.one_of(f"{NAME}.special_tokens_map", [True, False]):
        files["special_tokens_map.json"] = json_file(specials)
    count = len(vocabulary) + len(added) + more
    return count, {f"{NAME}/{path}": content for path, content in files.items()}


def word_files(draw: Draw, merge_count: int) -> Files:
    """Give the vocabulary and its merges: in two files, in one, or in both forms."""
    vocabulary, merges = vocabulary_of(merge_count)
    line = draw.rarely(f"{NAME}.line_end", "\n", ["\r\n"])
    first = draw.one_of(f"{NAME}.first_line", [[], ["#version: 0.2"]])
    form = draw.one_of(f"{NAME}.form", ["both", "tokenizer.json", "vocabulary"])
    files: Files = {}
    if form != "tokenizer.json":
        files["vocab.json"] = json_file(vocabulary)
        files["merges.txt"] = {"text": line.join([*first, *(f"{a} {b}" for a, b in merges), ""])}
    if form != "vocabulary":
        change = draw.rarely(f"{NAME}.tokenizer_json", None, list(OTHER_PARTS))
        content = json_of(merge_count) | OTHER_PARTS.get(change, {})
        if draw.rarely(f"{NAME}.merges_as_text", False, [True]):
            content = content | {"model": content["model"] | {"merges": [f"{a} {b}" for a, b in merges]}}
        files["tokenizer.json"] = {"text": json.dumps(content, ensure_ascii=False)}
    return files


def template_files(draw: Draw, config: dict[str, Any]) -> Files:
    """Give the template's file, or put it into `config`."""
    other = draw.rarely(f"{NAME}.template", None, list(TEMPLATES))
    template = TEMPLATES.get(other, CHAT_TEMPLATE)
    place = draw.one_of(f"{NAME}.template_place", ["chat_template.jinja", "tokenizer_config.json"])
    place = draw.rarely(f"{NAME}.other_template_place", place, ["named", "named", "named", "chat_template.json"])
    if place == "chat_template.jinja":
        return {place: {"text": template}}
    if place == "chat_template.json":
        return {place: json_file({"chat_template": template})}
    named = [{"name": "default", "template": template}, {"name": "tool_use", "template": ""}]
    config["chat_template"] = named if place == "named" else template
    return {}


