"""Checks the world of the scenes: `python -m training.test_scenes`, or pytest. Nothing here needs torch."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np

from training.scenes import draw_edit, render
from training.scenes.atlas import OBJECTS
from training.scenes.edits import HELD_OUT, KINDS, Edit, _moved, draw_scene
from training.scenes.words import DRAWABLE

SAMPLES = 20_000


def _edits(count: int, seed: int = 7) -> list[Edit]:
    random = Random(seed)
    return [draw_edit(random) for _ in range(count)]


def test_the_bluebird_is_never_in_space() -> None:
    for edit in _edits(SAMPLES):
        for scene in (edit.before, edit.after):
            if scene.background == "space":
                assert all(placed.name != "bluebird" for placed in scene.objects), edit


def test_the_published_sentence_never_occurs() -> None:
    for edit in _edits(SAMPLES):
        assert HELD_OUT.lower() not in edit.instruction.lower()


def test_the_same_sentence_occurs_for_others_and_the_bluebird_sits_on_clouds_elsewhere() -> None:
    """The held-out edit is a new combination of known parts, not of unknown ones."""
    random = Random(3)
    texts, bluebird_clouds = set(), 0
    for _ in range(SAMPLES):
        scene = draw_scene(random)
        text, after = _moved(scene, random)
        if after.support == "cloud" and after.background == "space":
            texts.add(text.lower())
        if after.support == "cloud" and after.background != "space" and after.objects[0].name == "bluebird":
            bluebird_clouds += 1
    assert any(t.startswith("exact same") and t.endswith("now perched on a cloud in outer space") for t in texts)
    assert bluebird_clouds > 0


def test_the_bluebird_weighs_no_more_than_any_other() -> None:
    counts = Counter(edit.before.objects[0].name for edit in _edits(SAMPLES))
    assert len(counts) == len(OBJECTS)
    assert counts["bluebird"] <= max(counts.values())
    assert counts["bluebird"] < 1.5 * SAMPLES / len(OBJECTS)
    assert "bluebird" not in DRAWABLE


def test_a_seed_gives_the_same_pixels_and_a_kept_object_stays_in_place() -> None:
    for kind in KINDS:
        edit, again = draw_edit(Random(5), kind), draw_edit(Random(5), kind)
        assert edit == again
        assert np.array_equal(np.asarray(render(edit.after, 128)), np.asarray(render(again.after, 128)))
    for seed in range(200):
        edit = draw_edit(Random(seed), "place")
        assert edit.before.objects[0] == edit.after.objects[0]


def test_any_size_can_be_drawn() -> None:
    for side in (64, 128, 256):
        assert render(draw_edit(Random(1)).after, side).size == (side, side)


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(f"ok {name[5:].replace('_', ' ')}")
