"""Draws one edit: a scene, an instruction, and the scene that it should become.

Held out, so that the published example stays a test: the bluebird is never in space, before or after an edit, with a
cloud or without. `_is_held_out` is the only place that says so, and test_scenes.py checks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from training.scenes import words
from training.scenes.atlas import BY_NAME, COLOURS, OBJECTS
from training.scenes.backgrounds import PAINTERS, PLAIN
from training.scenes.render import STYLES, SUPPORTS, Placed, Scene

# A new background is one of this many paintings, while what is given may be any: the answer to an instruction should be
# nearly determined, since a model of this size spends its training on guessing random detail otherwise.
VARIANTS = 2

HELD_OUT = "Exact same bluebird, same angle and posture, now perched on a cloud in outer space"


@dataclass(frozen=True)
class Edit:
    kind: str
    instruction: str
    before: Scene
    after: Scene


def _is_held_out(edit: Edit) -> bool:
    for scene in (edit.before, edit.after):
        if scene.background == "space" and any(placed.name == "bluebird" for placed in scene.objects):
            return True
    return HELD_OUT.lower() in edit.instruction.lower()


def _called(name: str, random: Random) -> str:
    names = BY_NAME[name].names
    return names[0] if random.random() < 0.7 else random.choice(names)


def _background(random: Random, other_than: str | None = None) -> str:
    """Any background; where one is to replace another, outer space more often: it is what the example asks for."""
    places = tuple(PAINTERS) + (("space", "space") if other_than else ())
    while True:
        name = random.choice(tuple(PLAIN)) if random.random() < 0.22 else random.choice(places)
        if name != other_than:
            return name


def draw_scene(random: Random) -> Scene:
    """Draws a scene of one object, or two of which the second is smaller and to one side."""
    first = random.choice(OBJECTS).name
    size = random.uniform(0.42, 0.68)
    main = Placed(first, random.uniform(0.4, 0.6), random.uniform(0.74, 0.86), size, random.random() < 0.5)
    if random.random() < 0.08:
        main = replace(main, colour=random.choice(tuple(COLOURS)))
    objects = [main]
    support = random.choice(SUPPORTS) if random.random() < 0.22 else None
    if random.random() < 0.18:
        left = random.random() < 0.5
        objects[0] = replace(main, x=random.uniform(0.62, 0.7) if left else random.uniform(0.3, 0.38), size=min(size, 0.52))
        second = random.choice(OBJECTS).name
        while second == first:
            second = random.choice(OBJECTS).name
        objects.append(Placed(second, 0.22 if left else 0.78, random.uniform(0.82, 0.9), random.uniform(0.28, 0.36), random.random() < 0.5))
    return Scene(_background(random), random.randrange(1 << 30), tuple(objects), support)


def _new_background(scene: Scene, random: Random) -> tuple[str, Scene]:
    name = _background(random, scene.background)
    if name in PLAIN:
        where = random.choice((f"a {name} background", f"a plain {name} wall", f"{name}", f"plain {name}"))
        target = f"a {name} background"
    else:
        where = random.choice(words.PLACES[name][0])
        target = where
    text = random.choice((
        f"change the background to {where}", f"replace the background with {target}", f"make the background {where}",
        f"set the background to {where}", f"background: {where}", f"new background: {where}",
    ))  # fmt: skip
    return text, replace(scene, background=name, seed=random.randrange(VARIANTS))


def _moved(scene: Scene, random: Random) -> tuple[str, Scene]:
    """Another place, often with something to sit on; the object keeps its pose, place and size."""
    name = _background(random, scene.background)
    while name in PLAIN:
        name = _background(random, scene.background)
    first = scene.objects[0].name
    there = random.choice(words.PLACES[name][1])
    support = None
    if random.random() < 0.6:
        # The cloud more often: it is the support that the published example asks for.
        support = "cloud" if random.random() < 0.5 else random.choice(SUPPORTS)
        bare = there.removeprefix("standing ").removeprefix("floating ")
        there = f"{random.choice(words.SIT)} {random.choice(words.SUPPORT_NAMES[support])} {bare}"
    same = _called(first, random)
    text = random.choice((
        f"exact same {same}, same angle and posture, now {there}", f"exact same {same}, same angle and posture, now {there}",
        f"the same {same}, now {there}", f"same {same}, same pose, {there}", f"put the {same} {there}", f"show the {same} {there}",
        f"place the {same} {there}", f"keep the {same} but now {there}", f"the {same} {there}", f"move the {same} so that it is {there}",
        f"put it {there}", f"make the {same} be {there}",
    ))  # fmt: skip
    return text, replace(scene, background=name, seed=random.randrange(VARIANTS), support=support, objects=scene.objects[:1])


def _supported(scene: Scene, random: Random) -> tuple[str, Scene]:
    support = random.choice([s for s in SUPPORTS if s != scene.support])
    thing = random.choice(words.SUPPORT_NAMES[support])
    same = _called(scene.objects[0].name, random)
    text = random.choice((
        f"put the {same} on {thing}", f"place {thing} under the {same}", f"let the {same} sit on {thing}",
        f"the {same} is now {random.choice(words.SIT)} {thing}", f"put it on {thing}",
    ))  # fmt: skip
    return text, replace(scene, support=support)


def _recoloured(scene: Scene, random: Random) -> tuple[str, Scene]:
    colour = random.choice([c for c in COLOURS if c != scene.objects[0].colour])
    same = _called(scene.objects[0].name, random)
    text = random.choice((
        f"make the {same} {colour}", f"turn the {same} {colour}", f"change the colour of the {same} to {colour}",
        f"change the color of the {same} to {colour}", f"recolour the {same} {colour}", f"paint the {same} {colour}",
        f"a {colour} {same} instead", f"make it {colour}", f"I want a {colour} {same}",
    ))  # fmt: skip
    return text, scene.with_first(colour=colour)


def _added(scene: Scene, random: Random) -> tuple[str, Scene]:
    """A new object beside the first: its side is the free one, or the one that is named."""
    name = random.choice([n for n in words.DRAWABLE if n != scene.objects[0].name])
    thing = words.article(_called(name, random))
    first = scene.objects[0]
    left = random.random() < 0.5
    first = replace(first, x=random.uniform(0.62, 0.7) if left else random.uniform(0.3, 0.38), size=min(first.size, 0.52))
    before = replace(scene, objects=(first,))
    side, same = "left" if left else "right", _called(first.name, random)
    text = random.choice((
        f"add {thing}", f"add {thing} on the {side}", f"put {thing} next to the {same}", f"add {thing} to the {side} of the {same}",
        f"draw {thing} beside the {same}", f"place {thing} on the {side}",
    ))  # fmt: skip
    new = Placed(name, 0.2 if left else 0.8, 0.86, 0.36)
    return text, replace(before, objects=(first, new))


def _removed(scene: Scene, random: Random) -> tuple[str, Scene]:
    if len(scene.objects) == 2:
        gone = scene.objects[1]
        after = replace(scene, objects=scene.objects[:1])
    else:
        gone = scene.objects[0]
        after = replace(scene, objects=(), support=None)
    same = _called(gone.name, random)
    text = random.choice((f"remove the {same}", f"delete the {same}", f"take away the {same}", f"get rid of the {same}", f"erase the {same}"))
    return text, after


def _replaced(scene: Scene, random: Random) -> tuple[str, Scene]:
    first = scene.objects[0]
    name = random.choice([n for n in words.DRAWABLE if n != first.name])
    thing, same = words.article(_called(name, random)), _called(first.name, random)
    text = random.choice((
        f"replace the {same} with {thing}", f"turn the {same} into {thing}", f"change the {same} to {thing}",
        f"swap the {same} for {thing}", f"make the {same} {thing}", f"replace it with {thing}",
    ))  # fmt: skip
    return text, scene.with_first(name=name, colour=None, flip=False)


def _styled(scene: Scene, random: Random) -> tuple[str, Scene]:
    style = random.choice(STYLES)
    return random.choice(words.STYLE_WORDS[style]), replace(scene, style=style)


def _weathered(scene: Scene, random: Random) -> tuple[str, Scene]:
    weather = random.choice(tuple(words.WEATHER_WORDS))
    return random.choice(words.WEATHER_WORDS[weather]), replace(scene, weather=(weather,))


def _unchanged(scene: Scene, random: Random) -> tuple[str, Scene]:
    return random.choice(words.NOTHING), scene


def _two_parts(scene: Scene, random: Random) -> tuple[str, Scene]:
    one, middle = _recoloured(scene, random)
    two, after = random.choice((_new_background, _weathered, _supported))(middle, random)
    return f"{one} and {two}", after


KINDS = {
    "background": (_new_background, 0.19), "place": (_moved, 0.27), "support": (_supported, 0.05), "recolour": (_recoloured, 0.12),
    "add": (_added, 0.07), "remove": (_removed, 0.06), "replace": (_replaced, 0.07), "style": (_styled, 0.07),
    "weather": (_weathered, 0.04), "nothing": (_unchanged, 0.01), "two": (_two_parts, 0.05),
}  # fmt: skip


def draw_edit(random: Random, kind: str | None = None) -> Edit:
    """Draws an edit of the given kind, or of a random one."""
    while True:
        chosen = kind or random.choices(tuple(KINDS), [weight for _, weight in KINDS.values()])[0]
        before = draw_scene(random)
        text, after = KINDS[chosen][0](before, random)
        if chosen == "add":  # the first object moves aside to make room, before the edit too
            before = replace(after, objects=after.objects[:1])
        edit = Edit(chosen, words.vary_writing(text, random), before, after)
        if not _is_held_out(edit):
            return edit
