"""The kinds of edit: for each, what may be asked of a scene, what the result is, and how it is called.

A kind draws a choice (any hashable value), applies it to a scene, and names it. Drawing and applying are apart, so the
same choice can be applied to another object of the scene, and another choice to the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from random import Random

from training.scenes import grammar, words
from training.scenes.atlas import BY_NAME
from training.scenes.backgrounds import PLAIN
from training.scenes.compose import COLOUR_NAMES, fits, overlaps
from training.scenes.compose import background as draw_background
from training.scenes.render import Placed, Scene, extent
from training.scenes.signs import WORDS
from training.scenes.styles import STYLES
from training.scenes.supports import SUPPORTS, WEATHERS

# A new background is one of this many paintings, while what is given may be any: the answer to an instruction should be
# nearly determined, since a model of this size spends its training on guessing random detail otherwise.
VARIANTS = 2

Slots = dict[str, str]


@dataclass(frozen=True)
class Kind:
    """`of_object` says whether the edit is about one object, whose index the functions get; else the index is 0."""

    of_object: bool
    draw: Callable[[Scene, int, Random], Hashable]
    apply: Callable[[Scene, int, Hashable], Scene | None]  # None where it can't be done, or would show nothing
    name: Callable[[Scene, Hashable, Random], Slots]
    wordings: Callable[[Hashable], tuple[str, ...]]


def called(placed: Placed, random: Random) -> str:
    if placed.text is not None:
        return "sign"
    names = BY_NAME[placed.name].names
    return names[0] if len(names) == 1 or random.random() < 0.7 else random.choice(names)


def _drawable(random: Random) -> str:
    return random.choice(words.DRAWABLE)


def _thing(name: str, random: Random) -> str:
    return words.article(called(Placed(name, 0, 0, 0), random))


def _is_real(placed: Placed) -> bool:
    return placed.text is None


def _checked(scene: Scene, index: int) -> Scene | None:
    """The scene, or None where the object at `index` sticks out of the image or covers another."""
    placed = scene.objects[index]
    others = [other for k, other in enumerate(scene.objects) if k != index]
    if fits(placed, scene.shape) and not any(overlaps(placed, other, scene.shape) for other in others):
        return scene
    return None


def _wording_of(kind: str) -> Callable[[Hashable], tuple[str, ...]]:
    return lambda choice: grammar.WORDINGS[kind]


# Background and place: a choice is (background, painting) or (background, painting, support).


def _draw_background(scene: Scene, index: int, random: Random) -> Hashable:
    return draw_background(random), random.randrange(VARIANTS)


def _apply_background(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    name, painting = choice  # type: ignore[misc]
    return None if name == scene.background else replace(scene, background=name, seed=painting)


def _name_background(scene: Scene, choice: Hashable, random: Random) -> Slots:
    name, _ = choice  # type: ignore[misc]
    return {"place": random.choice(words.WALLS).format(name) if name in PLAIN else random.choice(words.PLACES[name][0])}


def _draw_place(scene: Scene, index: int, random: Random) -> Hashable:
    name = draw_background(random)
    while name in PLAIN:
        name = draw_background(random)
    # The cloud more often: it is the support that the published example asks for.
    support = None
    if len(scene.objects) == 1 and random.random() < 0.6:
        support = "cloud" if random.random() < 0.4 else random.choice(SUPPORTS)
    return name, random.randrange(VARIANTS), support


def _apply_place(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    name, painting, support = choice  # type: ignore[misc]
    if name == scene.background or index != 0 or not _is_real(scene.objects[0]):
        return None
    return replace(scene, background=name, seed=painting, support=support)


def _name_place(scene: Scene, choice: Hashable, random: Random) -> Slots:
    name, _, support = choice  # type: ignore[misc]
    there = random.choice(words.PLACES[name][1])
    if support:
        bare = there.removeprefix("standing ").removeprefix("floating ")
        there = f"{random.choice(words.SIT)} {random.choice(words.SUPPORTS[support])} {bare}"
    return {"there": there}


# Support: a choice is one of SUPPORTS. It is drawn under the first object, so only that one can get it.


def _apply_support(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    if index != 0 or choice == scene.support or len(scene.objects) > 2 or not _is_real(scene.objects[0]):
        return None
    return replace(scene, support=str(choice))


def _name_support(scene: Scene, choice: Hashable, random: Random) -> Slots:
    return {"thing": random.choice(words.SUPPORTS[str(choice)]), "sit": random.choice(words.SIT)}


# Recolour: a choice is a colour.


def _apply_colour(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    placed = scene.objects[index]
    return scene.with_object(index, colour=choice) if _is_real(placed) and placed.colour != choice else None


# Add: a choice is (object, spot). Replace: a choice is an object.

_SPOTS = {"left": (0.18, 0.9, 0.3), "right": (0.82, 0.9, 0.3), "top left": (0.18, 0.36, 0.25), "top right": (0.82, 0.36, 0.25)}


def _at(name: str, spot: str, shape: str) -> Placed:
    x, y, size = _SPOTS[spot]
    return Placed(name, x, y, size if shape == "square" else size * 0.85)


def _draw_added(scene: Scene, index: int, random: Random) -> Hashable:
    return _drawable(random), random.choice(tuple(words.SPOTS))


def _apply_added(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    name, spot = choice  # type: ignore[misc]
    if any(placed.name == name for placed in scene.objects):
        return None
    # "Next to" is the right side, or the left where the right is taken.
    for where in ("right", "left") if spot == "beside" else (spot,):
        after = _checked(replace(scene, objects=(*scene.objects, _at(name, where, scene.shape))), len(scene.objects))
        if after is not None:
            return after
    return None


def _name_added(scene: Scene, choice: Hashable, random: Random) -> Slots:
    name, spot = choice  # type: ignore[misc]
    spots = words.SPOTS[spot]
    if spot in ("left", "right"):  # "to the left of it" is true only where it stands on the other side of the spot
        x = scene.objects[0].x
        if len(scene.objects) > 1 or (x < 0.3 if spot == "left" else x > 0.7):
            spots = spots[:-1]
    return {"thing": _thing(name, random), "where": random.choice(spots)}


def _apply_replaced(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    name = str(choice)
    if any(placed.name == name for placed in scene.objects):
        return None
    return _checked(scene.with_object(index, name=name, colour=None, flip=False, text=None), index)


def _apply_removed(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    rest = tuple(placed for k, placed in enumerate(scene.objects) if k != index)
    return replace(scene, objects=rest, support=scene.support if index else None)


# Move: a choice is a direction. The object goes all the way.


def _apply_moved(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    if scene.support and index == 0:
        return None
    placed = scene.objects[index]
    width, height = extent(placed)
    aspect = scene.aspect
    half, tall = width / aspect**0.5 / 2, height * aspect**0.5
    x, y = {
        "left": (half + 0.03, placed.y), "right": (0.97 - half, placed.y), "middle": (0.5, placed.y),
        "top": (placed.x, tall + 0.04), "bottom": (placed.x, 0.97),
    }[str(choice)]  # fmt: skip
    if abs(x - placed.x) + abs(y - placed.y) < 0.15:
        return None
    return _checked(scene.with_object(index, x=x, y=y), index)


# Enlarge and shrink: a choice is the factor. Mirror has no choices.


def _apply_scaled(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    placed = scene.objects[index]
    size = placed.size * float(choice)  # type: ignore[arg-type]
    return _checked(scene.with_object(index, size=size), index) if 0.15 < size < 0.85 else None


def _apply_mirrored(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    placed = scene.objects[index]
    return scene.with_object(index, flip=not placed.flip) if _is_real(placed) else None


# Text: a choice is a word.


def _sign_of(scene: Scene) -> int | None:
    return next((k for k, placed in enumerate(scene.objects) if placed.text is not None), None)


def _apply_text(scene: Scene, index: int, choice: Hashable) -> Scene | None:
    at = _sign_of(scene)
    return None if at is None or scene.objects[at].text == choice else scene.with_object(at, text=choice)


def _name_text(scene: Scene, choice: Hashable, random: Random) -> Slots:
    old = next(placed.text for placed in scene.objects if placed.text is not None)

    def spell(word: str) -> str:
        return random.choice((word, word, f'"{word}"', word.lower()))

    return {"word": spell(str(choice)), "old": spell(old)}


def _no_names(scene: Scene, choice: Hashable, random: Random) -> Slots:
    return {}


KINDS: dict[str, Kind] = {
    "background": Kind(False, _draw_background, _apply_background, _name_background, _wording_of("background")),
    "place": Kind(True, _draw_place, _apply_place, _name_place, _wording_of("place")),
    "support": Kind(True, lambda scene, index, random: random.choice(SUPPORTS), _apply_support, _name_support, _wording_of("support")),
    "recolour": Kind(
        True, lambda scene, index, random: random.choice(COLOUR_NAMES), _apply_colour,
        lambda scene, choice, random: {"colour": str(choice)}, _wording_of("recolour"),
    ),
    "add": Kind(False, _draw_added, _apply_added, _name_added, _wording_of("add")),
    "remove": Kind(True, lambda scene, index, random: None, _apply_removed, _no_names, _wording_of("remove")),
    "replace": Kind(
        True, lambda scene, index, random: _drawable(random), _apply_replaced,
        lambda scene, choice, random: {"thing": _thing(str(choice), random)}, _wording_of("replace"),
    ),
    "move": Kind(
        True, lambda scene, index, random: random.choice(tuple(words.DIRECTIONS)), _apply_moved,
        lambda scene, choice, random: {"direction": random.choice(words.DIRECTIONS[str(choice)])}, _wording_of("move"),
    ),
    "enlarge": Kind(True, lambda scene, index, random: 1.5, _apply_scaled, _no_names, _wording_of("enlarge")),
    "shrink": Kind(True, lambda scene, index, random: 0.6, _apply_scaled, _no_names, _wording_of("shrink")),
    "mirror": Kind(True, lambda scene, index, random: None, _apply_mirrored, _no_names, _wording_of("mirror")),
    "style": Kind(
        False, lambda scene, index, random: random.choice(tuple(STYLES)),
        lambda scene, index, choice: None if scene.style == choice else replace(scene, style=choice),
        _no_names, lambda choice: words.STYLES[str(choice)],
    ),
    "weather": Kind(
        False, lambda scene, index, random: random.choice(WEATHERS),
        lambda scene, index, choice: None if scene.weather == choice else replace(scene, weather=choice),
        _no_names, lambda choice: words.WEATHERS[str(choice)],
    ),
    "text": Kind(False, lambda scene, index, random: random.choice(WORDS), _apply_text, _name_text, _wording_of("text")),
    "nothing": Kind(False, lambda scene, index, random: None, lambda scene, index, choice: scene, _no_names, _wording_of("nothing")),
}  # fmt: skip
