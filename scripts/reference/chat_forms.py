"""Tokenizer folders with chat templates, in every place and form that the reference reads them from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chat_templates import OTHER, QWEN3
from tokenizer_folders import CONFIG, QWEN, Files, Folder, qwen_files, qwen_json_files

FILE, MORE = "chat_template.jinja", "additional_chat_templates"
SHORT = "{% for message in messages %}{{ message.content }}{% endfor %}!\n"

BASES: dict[str, Callable[[], Files]] = {"qwen-files": qwen_files, "qwen-json": qwen_json_files}


def config(**fields: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[CONFIG] = {**files[CONFIG], **fields}

    return change


def written(**contents: str) -> Callable[[Files], None]:
    """Write template files beside the configuration; a name without a dot lies in the folder of further ones."""

    def change(files: Files) -> None:
        for name, content in contents.items():
            files[FILE if name == "main" else f"{MORE}/{name}.jinja"] = content.encode()

    return change


def template(text: str) -> Callable[[Files], None]:
    return config(chat_template=text)


def without_template(files: Files) -> None:
    del files[CONFIG]["chat_template"]


def named(name: str, text: str) -> dict[str, str]:
    return {"name": name, "template": text}


FORMS: dict[str, Callable[[Files], None]] = {
    "no-template": without_template,
    "null": template(None),
    "empty": template(""),
    "list": config(chat_template=[named("default", QWEN3), named("tool_use", SHORT)]),
    "list-twice": config(chat_template=[named("default", QWEN3), named("default", SHORT)]),
    "list-without-default": config(chat_template=[named("tool_use", QWEN3)]),
    "object": config(chat_template={"default": SHORT, "rag": QWEN3}),
    "file": written(main=SHORT),
    "file-crlf": written(main=QWEN3.replace("\n", "\r\n")),
    "more": written(main=SHORT, tool_use=QWEN3),
    "more-default": written(main=SHORT, default=QWEN3),
    "more-only": written(tool_use=QWEN3),
    "other": template(OTHER),
    "marks": config(chat_template=OTHER, bos_token="<|im_start|>", image_token="<cat>"),
    "split-special": config(split_special_tokens=True),
    "truncation-left": config(truncation_side="left"),
    "prefix-space": config(add_prefix_space=True),
    "strips": template("{% for m in messages %}[{{ m.content.strip() }}][{{ m.content | trim }}][{{ m['content'].lstrip('\\n ') }}]"
                       "[{{ m.content.rstrip('.!\\u00e9 ') }}][{{ m.content.split('a')[0] }}][{{ m.content.split('a')[-1] }}]{% endfor %}"),
    "slices": template("{% for m in messages %}{{ m.content[:5] }}|{{ m.content[::-1] }}|{{ m.content[-3:] }}|{{ m.content | length }}{% endfor %}"),
    "conditions": template("{% for m in messages %}{{ 'x' if m.content.startswith('a') else 'y' }}{{ 1 if 'e' in m.content }}"
                           "{% if m.content == '' or m.name is defined %}E{% elif not m.content.endswith('.') %}N{% endif %}{{ m.content is string }}"
                           "{{ loop.index0 + 3 }}{{ none }}{{ true == 1 }}{{ 'a' ~ 2 ~ 'b' }}{% else %}nobody{% endfor %}\n\n"),
    "blocks": template("  {% set text = messages[0].content %}  \n {%- set ns = namespace(count=1) -%} \n{# a #}\n{% for m in messages + messages %}\n"
                       "  {% set ns.count = ns.count + 2 %}{{ ns.count }}{{ loop.first }}\n{% if loop.last %}.{% endif %}{% endfor %}{{ text }}  \n"),
}  # fmt: skip


def chat_folder(name: str) -> Folder:
    """Give the folder of a base and forms of it, joined by plus signs."""
    base, *forms = name.split("+")
    files = BASES[base]()
    for form in forms:
        FORMS[form](files)
    return Folder(name, QWEN, files)


def all_names() -> list[str]:
    return [*BASES, *(f"{base}+{form}" for base in BASES for form in FORMS)]
