"""The grammar of the instructions, and the slips that people make when they write.

In a wording, `[a|b]` is one of a and b, and `{slot}` is filled in. `{the}` is an object with its article, `{object}` its
bare name, `{thing}` a new object with its article.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from random import Random

# The last wording of each kind is held out of the training.
WORDINGS: dict[str, tuple[str, ...]] = {
    "background": (
        "[change|switch|alter] the background to {place}", "replace the background with {place}", "make the background {place}",
        "set the background to {place}", "[background|new background]: {place}", "use {place} as [the|a new] background",
        "I want {place} [behind it|in the background]", "change the scene to {place}", "swap the background for {place}",
    ),
    "place": (
        "exact same {object}, same angle and posture, now {there}", "exact same {object}, same angle and posture, now {there}",
        "[the same|same] {object}, now {there}", "same {object}, same pose, {there}", "[put|show|place] {the} {there}",
        "keep {the} but now {there}", "the {object} {there}", "make {the} be {there}", "let {the} be {there}",
    ),
    "support": (
        "[put|place] {the} on {thing}", "[place|put|draw] {thing} under {the}", "let {the} [sit|rest|stand] on {thing}",
        "{the} is now {sit} {thing}", "{the} should [sit|be] on {thing}", "set {the} on {thing}",
    ),
    "recolour": (
        "make {the} {colour}", "turn {the} {colour}", "change the [colour|color] of {the} to {colour}",
        "[recolour|recolor|paint|dye] {the} {colour}", "a {colour} {object} instead", "I want a {colour} {object}",
        "{the} should be {colour}", "[colour|color] {the} {colour}",
    ),
    "add": (
        "add {thing} {where}", "[put|place] {thing} {where}", "draw {thing} {where}", "[insert|include] {thing} {where}",
        "there should be {thing} {where}", "{where}, add {thing}", "I want {thing} {where}",
    ),
    "remove": (
        "remove {the}", "delete {the}", "take away {the}", "get rid of {the}", "erase {the}", "take {the} [out|away]",
        "remove {the} from the picture", "the picture without {the}", "make {the} disappear",
    ),
    "replace": (
        "replace {the} with {thing}", "turn {the} into {thing}", "change {the} [to|into] {thing}", "swap {the} for {thing}",
        "{thing} instead of {the}", "put {thing} in place of {the}", "exchange {the} for {thing}",
    ),
    "move": (
        "move {the} {direction}", "[shift|slide] {the} {direction}", "push {the} {direction}", "{the} should go {direction}",
        "bring {the} {direction}",
    ),
    "enlarge": (
        "make {the} [bigger|larger]", "[enlarge|scale up] {the}", "increase the size of {the}", "{the} should be [bigger|larger]",
        "a [bigger|larger] {object}", "grow {the}",
    ),
    "shrink": (
        "make {the} smaller", "[shrink|scale down] {the}", "[reduce|decrease] the size of {the}", "{the} should be smaller",
        "a smaller {object}", "make {the} little",
    ),
    "mirror": (
        "[mirror|flip] {the}", "flip {the} horizontally", "make {the} face the other way", "turn {the} around",
        "{the} should [look|face] the other way", "let {the} look the other way",
    ),
    "text": (
        "change the [text|word] on the sign to {word}", "make the sign say {word}", "the sign should [say|read] {word}",
        "[write|put] {word} on the sign", "[change|replace] {old} [to|with] {word}", "the sign says {word} now", "let the sign say {word}",
    ),
    "two": ("{one} and {two}", "{one}, {two}", "{one} and also {two}", "{one}, then {two}", "{one}, and {two}"),
    "nothing": (
        "do nothing", "keep the picture as it is", "leave it unchanged", "change nothing", "keep everything the same", "no changes",
        "leave everything as it is", "don't change anything", "leave the picture as it is",
    ),
}  # fmt: skip

_PART = re.compile(r"\[([^\]]*)\]|\{(\w+)\}")


@cache
def _parts(wording: str) -> tuple[tuple[str, ...] | str, ...]:
    """The wording as literal texts (1-tuples), alternatives (longer tuples) and slots (plain strings)."""
    parts: list[tuple[str, ...] | str] = []
    end = 0
    for match in _PART.finditer(wording):
        if match.start() > end:
            parts.append((wording[end : match.start()],))
        parts.append(tuple(match[1].split("|")) if match[1] is not None else match[2])
        end = match.end()
    if end < len(wording):
        parts.append((wording[end:],))
    return tuple(parts)


def slots_of(wording: str) -> set[str]:
    return {part for part in _parts(wording) if isinstance(part, str)}


def write(wording: str, slots: Mapping[str, str], random: Random) -> str:
    """Fills in one wording."""
    return "".join(
        slots[part] if isinstance(part, str) else part[0] if len(part) == 1 else random.choice(part) for part in _parts(wording)
    )


def _slip(text: str, random: Random) -> str:
    """One letter left out, doubled, or exchanged with the next."""
    at = random.randrange(1, len(text) - 1)
    kind = random.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


# First words that make "can you ...?" a question.
_VERBS = frozenset({
    "change", "switch", "alter", "replace", "make", "set", "use", "swap", "put", "show", "place", "keep", "let", "draw", "turn",
    "recolour", "recolor", "paint", "dye", "colour", "color", "add", "insert", "include", "remove", "delete", "take", "get",
    "erase", "exchange", "move", "shift", "slide", "push", "bring", "enlarge", "scale", "increase", "grow", "shrink", "reduce",
    "decrease", "mirror", "flip", "write", "convert", "apply", "give", "blur", "pixelate", "invert", "brighten", "darken", "lighten",
})  # fmt: skip


def vary_writing(text: str, random: Random) -> str:
    """Writes the sentence as people do: with or without a capital, a full stop or a please, and now and then with a slip."""
    if random.random() < 0.08:
        polite = [f"please {text}", f"{text} please", f"{text}, please"]
        text = random.choice([*polite, f"can you {text}?"] if text.split(" ", 1)[0] in _VERBS else polite)
    if random.random() < 0.65:
        text = text[0].upper() + text[1:]
    if random.random() < 0.25 and not text.endswith("?"):
        text += "."
    case = random.random()
    if case < 0.02:
        text = text.upper()
    elif case < 0.06:
        text = _slip(text, random)
    return text
