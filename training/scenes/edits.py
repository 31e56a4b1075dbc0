"""Draws one edit: a scene, an instruction, and the scene that it should become."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from random import Random

from training.scenes import grammar, heldout
from training.scenes.compose import draw_scene
from training.scenes.kinds import KINDS, called
from training.scenes.render import Scene


@dataclass(frozen=True)
class Part:
    """One thing that is asked for."""

    kind: str
    index: int  # of the object that it is about
    choice: Hashable
    wording: str
    subject: str | None  # the object's name, where it is about one
    names: tuple[str, ...]  # what objects are called in the instruction


@dataclass(frozen=True)
class Edit:
    kind: str  # one of WEIGHTS
    instruction: str
    before: Scene
    after: Scene
    parts: tuple[Part, ...]
    joint: str | None = None  # the wording that joins two parts

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What is asked for, of which scene, without seeds, positions and sizes."""

        def outline(scene: Scene) -> tuple[Hashable, ...]:
            objects = tuple((o.name, o.colour, o.text) for o in scene.objects)
            return scene.background, objects, scene.support, scene.weather, scene.style

        return self.kind, outline(self.before), outline(self.after), self.joint, tuple((p.wording, p.names) for p in self.parts)

    @property
    def digest(self) -> str:
        """The key in sixteen letters."""
        return hashlib.blake2b(repr(self.key).encode(), digest_size=8).hexdigest()


# How often each kind is drawn: the kinds that must find and reshape one object take longest to learn, and have 55 %.
WEIGHTS: dict[str, float] = {
    "background": 0.09, "place": 0.10, "support": 0.03, "recolour": 0.10, "add": 0.10, "remove": 0.09, "replace": 0.12,
    "move": 0.065, "enlarge": 0.045, "shrink": 0.045, "mirror": 0.035, "style": 0.05, "weather": 0.025, "text": 0.04,
    "two": 0.05, "nothing": 0.015,
}  # fmt: skip

_NAMES, _CUMULATED = tuple(WEIGHTS), [sum(list(WEIGHTS.values())[: k + 1]) for k in range(len(WEIGHTS))]

# Kinds that are about one object, and the number of objects in their scenes: a single one would not have to be found.
FINDS_AN_OBJECT = ("recolour", "remove", "replace", "move", "enlarge", "shrink", "mirror", "two")
_COUNTS_TO_FIND_IN = (1, 1, 2, 2, 2, 3, 3, 4)

FIRST_OF_TWO = ("recolour", "remove", "replace", "mirror", "enlarge", "shrink")
SECOND_OF_TWO = ("background", "weather", "style", "support")


def held_out(edit: Edit) -> set[str]:
    """Which of the four reasons keep this edit out of the training: background, edit, wording, synonym."""
    reasons = set()
    for scene in (edit.before, edit.after):
        if any((placed.name, scene.background) in heldout.OBJECT_BACKGROUNDS for placed in scene.objects):
            reasons.add("background")
    for part in edit.parts:
        if (part.subject, part.kind) in heldout.OBJECT_EDITS:
            reasons.add("edit")
        if part.wording == KINDS[part.kind].wordings(part.choice)[-1]:
            reasons.add("wording")
        if not heldout.SYNONYMS.isdisjoint(part.names):
            reasons.add("synonym")
    if edit.joint == grammar.WORDINGS["two"][-1]:
        reasons.add("wording")
    return reasons


def apply(kind: str, scene: Scene, index: int, choice: Hashable) -> Scene | None:
    return KINDS[kind].apply(scene, index, choice)


def _subject(kind: str, scene: Scene, index: int, choice: Hashable) -> str | None:
    if kind == "add":
        return choice[0]  # type: ignore[index]
    return scene.objects[index].name if KINDS[kind].of_object else None


def _say(kind: str, scene: Scene, index: int, choice: Hashable, random: Random) -> tuple[str, Part]:
    """Puts the choice into words."""
    wording = random.choice(KINDS[kind].wordings(choice))
    named = KINDS[kind].name(scene, choice, random)
    slots: dict[str, str] = dict(named)
    name = called(scene.objects[index], random) if scene.objects else ""
    alone = len(scene.objects) == 1 and "add" != kind
    slots["object"] = name
    slots["the"] = "it" if alone and random.random() < 0.12 else f"the {name}"
    if "where" in slots:
        slots["where"] = slots["where"].replace("{the}", slots["the"])
    names = tuple(value.removeprefix("a ").removeprefix("an ") for value in _object_names(wording, slots))
    return grammar.write(wording, slots, random), Part(kind, index, choice, wording, _subject(kind, scene, index, choice), names)


def _object_names(wording: str, slots: Mapping[str, str]) -> list[str]:
    used = grammar.slots_of(wording)
    found = [slots[slot] for slot in ("object", "thing") if slot in used]
    if "the" in used or "the " in slots.get("where", ""):
        found.append(slots["object"])
    return found


def draw_part(kind: str, scene: Scene, random: Random) -> tuple[str, Part, Scene] | None:
    """One thing to ask of the scene, or None where this draw cannot be done there."""
    index = random.randrange(len(scene.objects)) if KINDS[kind].of_object and scene.objects else 0
    if kind in ("place", "support"):
        index = 0
    choice = KINDS[kind].draw(scene, index, random)
    after = apply(kind, scene, index, choice)
    if after is None:
        return None
    text, part = _say(kind, scene, index, choice, random)
    return text, part, after


def _draw_once(kind: str, random: Random, count: int | None, shape: str | None) -> Edit | None:
    scene = draw_scene(random, count, kind == "text", shape)
    if kind != "two":
        drawn = draw_part(kind, scene, random)
        if drawn is None:
            return None
        text, part, after = drawn
        return Edit(kind, grammar.vary_writing(text, random), scene, after, (part,))
    first = draw_part(random.choice(FIRST_OF_TWO), scene, random)
    if first is None or not first[2].objects:
        return None
    second = draw_part(random.choice(SECOND_OF_TWO), first[2], random)
    if second is None:
        return None
    joint = random.choice(grammar.WORDINGS["two"])
    text = grammar.write(joint, {"one": first[0], "two": second[0]}, random)
    return Edit("two", grammar.vary_writing(text, random), scene, second[2], (first[1], second[1]), joint)


def draw_any_edit(random: Random, kind: str, count: int | None = None, shape: str | None = None) -> Edit:
    """Draws an edit of this kind, held out or not. `count` fixes the number of objects, `shape` the image's shape."""
    while True:
        edit = _draw_once(kind, random, count, shape)
        if edit is not None:
            return edit


def draw_edit(random: Random, kind: str | None = None, shape: str | None = None) -> Edit:
    """Draws an edit for the training: of the given kind and shape, or of random ones, and never one that is held out.

    The kind is chosen once, so that kinds whose draws fail more often don't become rarer.
    """
    chosen = kind or random.choices(_NAMES, cum_weights=_CUMULATED)[0]
    while True:
        count = random.choice(_COUNTS_TO_FIND_IN) if chosen in FINDS_AN_OBJECT else None
        edit = draw_any_edit(random, chosen, count, shape)
        if not held_out(edit):
            return edit
