"""Checks a training in slices on a processor: `python scripts/remote-gpu/test_slices.py`, or pytest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from diffusers import FluxKontextPipeline

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import parts  # noqa: E402
import plan  # noqa: E402
import slices  # noqa: E402
from parts import MIB  # noqa: E402
from training import checks  # noqa: E402
from training.presets import PRESETS  # noqa: E402
from training.run import Clock, Run, TimeUp  # noqa: E402


@contextmanager
def refusal(words: str):
    """The block must end with one sentence that holds `words`."""
    try:
        yield
    except SystemExit as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"Nothing was refused: {words}")


def _checkpoint(folder: Path) -> Path:
    (folder / "vae").mkdir(parents=True)
    (folder / "vae" / "weights.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "model_index.json").write_text("{}")
    return folder


def _join(folder: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", folder / "join.sh", target], capture_output=True, text=True)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_parts_join_to_the_same_folder() -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        checkpoint = _checkpoint(home / "checkpoint")
        parts.write(checkpoint, home / "out", part_bytes=12_000)
        written = parts.write(checkpoint, home / "out", part_bytes=6000)  # over the leavings of an earlier slice
        assert [path.stat().st_size for path in written][:-1] == [6000] * (len(written) - 1)
        assert len(list((home / "out").iterdir())) == len(written) + 2
        for path in (home / "out").iterdir():
            path.chmod(0o444)
        done = _join(home / "out", home / "joined")
        assert done.returncode == 0, done.stderr
        assert _files(home / "joined") == _files(checkpoint)
        again = _join(home / "out", home / "joined")
        assert again.returncode == 1 and "exists already" in again.stderr


def test_a_missing_or_damaged_part_is_refused_and_leaves_nothing() -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        written = parts.write(_checkpoint(home / "checkpoint"), home / "out", part_bytes=6000)
        whole = written[1].read_bytes()

        def refused(words: str) -> None:
            before = set(home.iterdir())
            done = _join(home / "out", home / "joined")
            assert done.returncode == 1 and words in done.stderr and done.stderr.count("\n") == 1, done.stderr
            assert set(home.iterdir()) == before

        written[1].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        refused("checkpoint.tar.01 is damaged")
        written[1].write_bytes(whole[:-1])
        refused("checkpoint.tar.01 is damaged")
        written[1].unlink()
        refused("checkpoint.tar.01 is missing")
        written[1].write_bytes(whole)
        sums = (home / "out" / "SHA256SUMS").read_text().splitlines(keepends=True)
        (home / "out" / "SHA256SUMS").write_text("".join([*sums[:1], *sums[2:]]))
        refused("not the whole")
        (home / "out" / "SHA256SUMS").write_text("")
        refused("names no parts")
        (home / "out" / "SHA256SUMS").unlink()
        refused("SHA256SUMS is missing")


def test_a_checkpoint_of_too_many_parts_is_refused() -> None:
    with TemporaryDirectory() as name, refusal("at most 4 can be brought home"):
        parts.write(_checkpoint(Path(name) / "checkpoint"), Path(name) / "out", part_bytes=2000)


def test_the_plan_adds_up() -> None:
    made = plan.training(57 * MIB, 6 * MIB)
    assert made.tree_mib == 57 and all(call.carried_mib == 63 for call in made.calls)
    assert made.work_minutes == round(sum(call.minutes for call in made.calls), 2) <= plan.MOST_WORK_MINUTES
    slices = made.calls[1:]
    assert len(slices) == plan.SLICES
    assert all(call.minutes == plan.SLICE_MINUTES + plan.AROUND_MINUTES <= plan.MOST_CALL_MINUTES for call in slices)
    assert [f"--slices-left {left}" in call.command for left, call in zip((3, 2, 1), slices, strict=True)] == [True] * 3
    assert ["--restart" in call.command for call in made.calls] == [True, True, False, False]
    assert abs(PRESETS["gpu"].minutes - plan.SLICES * plan.SLICE_MINUTES) < 1e-9
    assert all(call.command in plan.training_text(made) for call in made.calls)
    data = json.loads(plan.as_json(made))
    assert data["tree_mib"] == 57 and [call["minutes"] for call in data["calls"]] == [call.minutes for call in made.calls]


def test_a_plan_that_cannot_be_run_is_refused() -> None:
    with refusal("probe would carry 64.5 MiB, 58.5 of them the working tree, and at most 64 MiB"):
        plan.training(117 * MIB // 2, 6 * MIB)
    with refusal("would take 9.3 minutes"):
        plan.training(50 * MIB, 6 * MIB, slice_minutes=8.8)
    with refusal("at most 25 are meant"):
        plan.training(50 * MIB, 6 * MIB, slice_minutes=7.5)


def test_the_working_tree_is_counted_without_what_git_ignores() -> None:
    with TemporaryDirectory() as name:
        subprocess.run(["git", "init", "--quiet", name], check=True)
        (Path(name) / ".gitignore").write_text("cache/\n")
        (Path(name) / "cache").mkdir()
        (Path(name) / "cache" / "state").write_bytes(bytes(500))
        (Path(name) / "new").write_bytes(bytes(100))
        assert plan.bytes_of(plan.tracked_files(Path(name)), Path(name)) == 107


def test_the_slices_that_are_left_spend_what_the_stages_have_left() -> None:
    minutes = {"autoencoder": 3.0, "edits": 14.0, "guidance": 3.0}
    with TemporaryDirectory() as name:
        run = Run(folder=Path(name))
        slices.begin(run, time.monotonic(), 7, None, minutes)
        assert run.pace == 1
        slices.begin(run, time.monotonic(), 7, 3, minutes)  # 20 minutes in 0.95 of 21
        assert abs(run.pace - 20 / 0.95 / 21) < 0.01
        torch.save({"seconds": 180.0}, Path(name) / "autoencoder.pt")
        torch.save({"seconds": 420.0, "phase": "edits"}, Path(name) / "editor.pt")
        assert slices.progress(run, minutes) == {"autoencoder": 1.0, "edits": 0.5, "guidance": 0.0}
        slices.begin(run, time.monotonic(), 7, 1, minutes)  # a slice was lost: ten minutes in 0.95 of 7
        assert abs(run.pace - 10 / 0.95 / 7) < 0.01
        clock = Clock(run, 7, 210)
        assert 0.5 <= clock.progress < 0.51 and not clock.save_is_due()
        run.ends = time.monotonic()
        assert clock.save_is_due()
        try:
            raise AssertionError(f"The clock went on: {clock.progress}")
        except TimeUp:
            pass


def _train(home: Path, *options: str) -> subprocess.Popen[str]:
    # Compiling would take minutes, and such small pictures give a second thread nothing to do.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1"}
    program = ROOT / "scripts" / "remote-gpu" / "train.py"
    command = [sys.executable, program, "--preset", "toy", "--parts", "parts", *options]
    return subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_killed_slice_goes_on_and_the_last_gives_a_checkpoint_that_diffusers_loads() -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        state = home / ".cache" / "training-64"
        for part in ("tokenizer", "tokenizer_2"):  # training these would take longer than all else
            shutil.copytree(ROOT / "checkpoints" / "tiny" / part, state / "tokenizers" / part)

        def steps() -> int:
            return torch.load(state / "editor.pt", weights_only=True)["step"]

        killed = _train(home, "--slice-minutes", "5")
        while not (state / "editor.pt").exists():
            assert killed.poll() is None, "The training ended before it could be killed."
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        before, trained = steps(), (state / "autoencoder.pt").stat().st_mtime_ns
        assert not (home / "parts").exists()

        over = _train(home, "--slice-minutes", "0.001")  # no time for a step, and still it hands back what there is
        closing = over.communicate()[0].splitlines()[-1]
        assert over.returncode == 0 and closing.startswith("Slice over: autoencoder 100%, edits "), closing
        assert steps() == before
        assert (home / "parts" / "SHA256SUMS").exists()

        last = _train(home, "--slice-minutes", "5")
        closing = last.communicate()[0].splitlines()[-1]
        assert last.returncode == 0 and closing.startswith("Trained: autoencoder 100%, edits 100%, guidance 100%; "), closing
        assert steps() > before
        assert (state / "autoencoder.pt").stat().st_mtime_ns == trained

        names = {path.name for path in (home / "parts").iterdir()}
        assert {"SHA256SUMS", "join.sh", "log.jsonl", "checkpoint.tar.00"} <= names and len(names) <= 8
        assert all(path.stat().st_size <= 16 * MIB for path in (home / "parts").iterdir())
        done = _join(home / "parts", home / "joined")
        assert done.returncode == 0, done.stderr
        pipeline = FluxKontextPipeline.from_pretrained(home / "joined")
        assert pipeline.vae.config.sample_size == 64


if __name__ == "__main__":
    checks.run(globals())
