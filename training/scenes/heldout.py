"""What the training never sees, so that the evaluation measures new combinations of known parts.

Forty objects never stand on one certain background each, thirty objects are never edited in one certain way each, the
last wording of each kind of edit is never used, and ten synonyms never name their object.
"""

from __future__ import annotations

from random import Random

from training.scenes.atlas import BY_NAME, OBJECTS
from training.scenes.compose import PLACES
from training.scenes.words import DRAWABLE

# The published example: "Exact same bluebird, same angle and posture, now perched on a cloud in outer space".
EXAMPLE = ("bluebird", "space")

_EDITS = ("recolour", "remove", "replace", "move", "enlarge", "shrink", "mirror", "place", "support")


def _draw_backgrounds() -> frozenset[tuple[str, str]]:
    random, pairs = Random("object and background"), {EXAMPLE}
    while len(pairs) < 40:
        pairs.add((random.choice(OBJECTS).name, random.choice(PLACES)))
    return frozenset(pairs)


def _draw_edits() -> frozenset[tuple[str, str]]:
    random, pairs = Random("object and edit"), set()
    while len(pairs) < 24:
        pairs.add((random.choice(OBJECTS).name, random.choice(_EDITS)))
    while len(pairs) < 30:  # and some that are never added
        pairs.add((random.choice(DRAWABLE), "add"))
    return frozenset(pairs)


OBJECT_BACKGROUNDS = _draw_backgrounds()
OBJECT_EDITS = _draw_edits()

# Each shares a word or most letters with the object's usual name, so that it can be recognised.
SYNONYMS = frozenset({
    "panda bear", "hippopotamus", "rhinoceros", "woolly mammoth", "pink flamingo", "dodo bird", "ball of yarn", "wrist watch",
    "glass of milk", "bowl of noodles",
})  # fmt: skip

assert all(any(name in BY_NAME[o.name].names[1:] for o in OBJECTS) for name in SYNONYMS)
