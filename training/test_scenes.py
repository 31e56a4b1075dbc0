"""Checks the world of the scenes: `python -m training.test_scenes`, or pytest. Nothing here needs torch."""

from __future__ import annotations

import json
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from training import checks
from training.scenes import grammar, heldout, textures, words
from training.scenes.atlas import BY_NAME, OBJECTS
from training.scenes.backgrounds import PAINTERS, PLAIN
from training.scenes.compose import PLACES, draw_scene, fits, sizes
from training.scenes.edits import WEIGHTS, Edit, draw_any_edit, draw_edit, held_out
from training.scenes.kinds import KINDS
from training.scenes.render import SHAPES, change_mask, render
from training.scenes.styles import STYLES
from training.scenes.supports import SUPPORTS, WEATHERS

EVALUATION = Path("evaluation/set/scenes.json")
MANY = 1_000_000
SOME = 20_000
SQUARE = (128, 128)


@cache
def _edits(count: int = SOME, seed: int = 7) -> list[Edit]:
    random = Random(seed)
    return [draw_edit(random) for _ in range(count)]


def test_the_world_is_as_large_as_the_card_says() -> None:
    assert len(OBJECTS) == len(BY_NAME) == 388
    assert len(PAINTERS) == 20
    assert len(PLAIN) == 12
    names = Counter(name for o in OBJECTS for name in o.names)
    assert max(names.values()) == 1, "two objects share a name"
    assert set(words.PLACES) == set(PAINTERS)
    assert set(words.SUPPORTS) == set(SUPPORTS)
    assert set(words.STYLES) == set(STYLES)
    assert set(words.WEATHERS) == set(WEATHERS)
    assert all(name in BY_NAME for name in words.DRAWABLE)


def _count_leaks(job: tuple[int, int, frozenset[str]]) -> Counter[str]:
    """Draws edits as the training does and counts those that the evaluation holds."""
    seed, count, digests = job
    random, leaks = Random(f"leaks {seed}"), Counter()
    for _ in range(count):
        edit = draw_edit(random)
        leaks.update(held_out(edit))
        leaks["scene"] += edit.digest in digests
        leaks["drawn"] += 1
    return leaks


def test_a_million_training_scenes_hold_nothing_of_the_evaluation() -> None:
    digests = frozenset(scene["key"] for scene in json.loads(EVALUATION.read_text())["scenes"])
    processes = os.cpu_count() or 1
    with ProcessPoolExecutor(processes) as pool:
        leaks = sum(pool.map(_count_leaks, [(k, MANY // 20, digests) for k in range(20)]), Counter())
    assert leaks.pop("drawn") == MANY
    assert not +leaks, leaks


def test_every_evaluation_scene_is_held_out() -> None:
    scenes = json.loads(EVALUATION.read_text())["scenes"]
    assert len(scenes) == 500
    assert sum(scene["probe"] for scene in scenes) == 100
    assert all(scene["heldOut"] for scene in scenes)
    assert {reason for scene in scenes for reason in scene["heldOut"]} == {"background", "edit", "wording", "synonym"}


def test_what_is_held_out_does_occur_without_the_refusal() -> None:
    """The reasons find something; otherwise the test above would pass on anything."""
    assert len(heldout.OBJECT_BACKGROUNDS) == 40
    assert heldout.EXAMPLE in heldout.OBJECT_BACKGROUNDS
    assert len(heldout.OBJECT_EDITS) == 30
    assert len(heldout.SYNONYMS) == 10
    random, found = Random(1), Counter()
    for _ in range(SOME):
        found.update(held_out(draw_any_edit(random, random.choice(tuple(WEIGHTS)))))
    assert set(found) == {"background", "edit", "wording", "synonym"}


def test_the_published_example_is_a_new_combination_of_known_parts() -> None:
    random, sentence = Random(3), "same angle and posture, now perched on a cloud in outer space"
    texts, clouds, places = set(), 0, set()
    for _ in range(SOME):
        edit = draw_edit(random, "place")
        texts.add(edit.instruction.lower().removesuffix("."))
        if edit.before.objects[0].name == "bluebird":
            clouds += edit.after.support == "cloud"
            places.add(edit.after.background)
    assert any(text.startswith("exact same") and text.endswith(sentence) for text in texts)
    assert clouds > 0
    assert "space" not in places
    assert len(places) > len(PLACES) / 2


def test_kinds_come_as_often_as_their_weights_say() -> None:
    counts = Counter(edit.kind for edit in _edits())
    assert abs(sum(WEIGHTS.values()) - 1) < 1e-9
    for kind, weight in WEIGHTS.items():
        expected = weight * SOME
        assert abs(counts[kind] - expected) < 5 * expected**0.5, (kind, counts[kind])


def test_no_object_weighs_more_than_another() -> None:
    counts = Counter(o.name for edit in _edits() for o in edit.before.objects if o.text is None)
    assert len(counts) == len(OBJECTS)
    assert max(counts.values()) < 2 * sum(counts.values()) / len(OBJECTS)
    assert "bluebird" not in words.DRAWABLE


def test_objects_of_a_scene_can_be_told_apart_by_name() -> None:
    for edit in _edits():
        names = [name for o in edit.before.objects if o.text is None for name in BY_NAME[o.name].names]
        assert len(set(names)) == len(names), edit.instruction
        assert not any(a != b and a.endswith(f" {b}") for a in names for b in names if not _same_object(a, b)), names


def _same_object(one: str, other: str) -> bool:
    return any(one in o.names and other in o.names for o in OBJECTS)


def test_an_edit_changes_what_it_names_and_keeps_the_rest() -> None:
    for edit in _edits():
        before, after = edit.before, edit.after
        if edit.kind == "nothing":
            assert before == after
        elif edit.kind in ("background", "place"):
            assert before.objects == after.objects
            assert before.background != after.background
        elif edit.kind in ("style", "weather", "support"):
            assert replace(before, style=after.style, weather=after.weather, support=after.support) == after
        elif edit.kind == "add":
            assert after.objects[:-1] == before.objects
            assert fits(after.objects[-1], after.shape)
        elif edit.kind in ("recolour", "replace", "move", "enlarge", "shrink", "mirror"):
            (part,) = edit.parts
            assert before != after
            assert before.background == after.background
            others = [(a, b) for k, (a, b) in enumerate(zip(before.objects, after.objects, strict=True)) if k != part.index]
            assert all(a == b for a, b in others)


def test_a_removed_object_leaves_the_background_alone() -> None:
    for seed in range(60):
        edit = draw_edit(Random(seed), "remove")
        if len(edit.before.objects) == 1:
            bare = render(replace(edit.before, objects=(), support=None), SQUARE)
            assert np.array_equal(np.asarray(bare), np.asarray(render(edit.after, SQUARE)))


def test_a_seed_gives_the_same_pixels() -> None:
    for kind in WEIGHTS:
        edit, again = draw_edit(Random(5), kind), draw_edit(Random(5), kind)
        assert edit == again
        size = sizes(64)[edit.after.shape]
        assert np.array_equal(np.asarray(render(edit.after, size)), np.asarray(render(again.after, size)))


def test_all_shapes_have_about_the_same_area_and_whole_tokens() -> None:
    for native in (128, 256):
        for shape, (width, height) in sizes(native).items():
            assert width % 16 == height % 16 == 0
            assert 1 <= width * height / native**2 < 1.1, shape
    drawn = {edit.before.shape for edit in _edits()}
    assert drawn == set(SHAPES)
    scene = draw_scene(Random(1), shape="16:9")
    assert render(scene, sizes(128)["16:9"]).size == (176, 96)


def test_an_object_looks_alike_in_every_shape() -> None:
    """The size stays the same and round things stay round: the same number of pixels changes."""
    scene = draw_scene(Random(4), 1, shape="square")
    sun = replace(scene, objects=(replace(scene.objects[0], name="soccer ball", size=0.4, x=0.5, y=0.8, colour=None),), support=None, background="white")
    counts = []
    for shape, size in sizes(128).items():
        shaped = replace(sun, shape=shape)
        mask = change_mask(render(replace(shaped, objects=()), size), render(shaped, size))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert abs(np.ptp(rows) - np.ptp(columns)) <= 2, shape
        counts.append(np.ptp(rows))
    assert max(counts) - min(counts) <= 4


def test_the_grammar_fills_every_slot_and_knows_many_wordings() -> None:
    for kind, wordings in grammar.WORDINGS.items():
        assert len(wordings) >= 5, kind
    assert all(len(w) >= 5 for table in (words.STYLES, words.WEATHERS) for w in table.values())
    texts = [edit.instruction for edit in _edits()]
    assert not any(sign in text for text in texts for sign in "[]{}|")
    assert len(set(texts)) > 0.6 * SOME
    assert max(len(text) for text in texts) < 160


def test_some_sentences_have_slips_and_capitals() -> None:
    random = Random(2)
    written = [grammar.vary_writing("make the fox blue", random) for _ in range(4000)]
    plain = {"make the fox blue", "make the fox blue."}
    assert sum(text.isupper() for text in written) > 20
    slips = [t for t in written if "please" not in t.lower() and "can you" not in t.lower() and t.lower() not in plain]
    assert 60 < len(slips) < 400
    assert not any(t.lower().startswith("can you") for t in (grammar.vary_writing("a red fox instead", random) for _ in range(500)))


def test_textures_come_in_any_size() -> None:
    for draw in (textures.photograph, textures.texture, textures.gradient):
        assert draw(96, Random(1)).size == (96, 96)
        assert np.asarray(draw(96, Random(1))).std() > 1


def test_every_kind_can_be_drawn_in_every_shape() -> None:
    for kind in WEIGHTS:
        for shape in SHAPES:
            assert draw_edit(Random(9), kind, shape).after.shape == shape
    assert set(KINDS) == set(WEIGHTS) - {"two"}


if __name__ == "__main__":
    checks.run(globals())
