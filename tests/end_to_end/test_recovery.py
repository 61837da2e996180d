"""Whatever was done to a run or its folder, the same command says what is wrong, or completes it to the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.atomic import ABANDONED_SECONDS
from tests.end_to_end.command import (
    ROOMS,
    STAGES,
    assert_complete,
    boxgp,
    completed,
    differences,
    modified,
    results,
    wait_for_results,
)
from tests.end_to_end.faults import assert_nothing_left
from tests.end_to_end.marked_run import MarkedRun

LINE = ("run", *ROOMS, "--output", "out")


@pytest.fixture
def run(undisturbed: Path, tmp_path: Path) -> Path:
    """A complete run of one's own, to be changed; its command is ``LINE`` in ``tmp_path``."""
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written to ``folder`` or below it inside; skips where even that is not permitted."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    # permissions mean nothing to root
    for options in (["--bind", str(folder)], ["-o", "remount,bind,ro"]):
        mounted = subprocess.run(["mount", *options, folder], capture_output=True, text=True, check=False)
        if mounted.returncode:
            subprocess.run(["umount", folder], capture_output=True, check=False)
            pytest.skip(f"a folder cannot be made read-only here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_folder_of_one_stage(undisturbed: Path, run: Path) -> None:
    for stage in STAGES[2:]:
        for result in results(run, [stage]):
            shutil.rmtree(result)
    before = modified(run)
    features = run / "round_00" / "features"
    with read_only(features):
        ended = boxgp(*LINE, cwd=run.parent)
        assert ended.code == 1, ended.out + ended.err
        assert ended.counts("features") == (0, 0, 3, 0)
        assert ended.counts("posteriors") == (0, 0, 0, 3)
        assert str(features / "room_0000") in ended.out
        assert "cannot be written: " in ended.out
        assert "choose another output folder" in ended.out
    completed(*LINE, cwd=run.parent)
    assert differences(run, undisturbed) == []
    assert before.items() <= modified(run).items()
    assert "no failures" in completed("failures", "out", cwd=run.parent).out


def test_a_read_only_run(run: Path) -> None:
    with read_only(run):
        ended = boxgp(*LINE, cwd=run.parent)
        assert ended.code == 2
        assert f"boxgp: the output folder {run} cannot be used: " in ended.err
        assert "choose another output folder" in ended.err
        assert "summary" in completed("status", "out", cwd=run.parent).out


def test_a_file_where_a_folder_is_needed(undisturbed: Path, run: Path) -> None:
    shutil.rmtree(run / "round_00")
    (run / "round_00").write_text("in the way")
    ended = boxgp(*LINE, cwd=run.parent)
    assert ended.code == 1, ended.out + ended.err
    assert "a file stands where a folder is needed: move it away, then run again" in ended.out
    (run / "round_00").unlink()
    completed(*LINE, cwd=run.parent)
    assert differences(run, undisturbed) == []


def test_torn_results_are_computed_again_and_no_others(undisturbed: Path, run: Path) -> None:
    labels = run / "round_00" / "pseudo_labels"
    os.truncate(labels / "room_0000" / "data.zarr.zip", 1000)
    (labels / "room_0001" / "manifest.json").unlink()
    (labels / "room_0002" / "data.zarr.zip").unlink()
    manifest = run / "round_00" / "posteriors" / "room_0001" / "manifest.json"
    os.truncate(manifest, manifest.stat().st_size // 2)
    shutil.rmtree(run / "round_00" / "evaluation" / "room_0002")
    (run / "round_00" / "evaluation" / "room_0002").mkdir()
    before = modified(run)
    ended = completed(*LINE, cwd=run.parent)
    done = {stage: ended.counts(stage)[0] for stage in STAGES}
    expected = {"posteriors": 1, "pseudo_labels": 3, "evaluation": 1, "summary": 0}
    assert done == {**dict.fromkeys(STAGES, 0), **expected}
    assert differences(run, undisturbed) == []
    for result in results(run):
        assert_complete(result)
    kept = {
        name: moment
        for name, moment in before.items()
        if not name.startswith(("round_00/pseudo_labels", "round_00/posteriors/room_0001"))
    }
    assert kept.items() <= modified(run).items()


def test_temporaries_of_another_host(run: Path) -> None:
    posteriors = run / "round_00" / "posteriors"
    shutil.rmtree(posteriors / "room_0001")
    young = posteriors / ".room_0001@another-host@1@0123456789ab"
    old = posteriors / ".room_0001@another-host@2@0123456789ab"
    for folder in (young, old):
        folder.mkdir()
        (folder / "data.zarr.zip").write_bytes(b"half")
    long_ago = time.time() - ABANDONED_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    ended = completed(*LINE, cwd=run.parent)
    assert ended.counts("posteriors")[:2] == (1, 2)
    assert_complete(posteriors / "room_0001")
    assert young.exists()
    assert not old.exists()
    assert "room_0001@" not in completed("status", "out", cwd=run.parent).out


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_a_terminated_run_cleans_up_and_goes_on(workers: str, undisturbed: Path, tmp_path: Path) -> None:
    line = (*ROOMS, "--workers", workers)
    with MarkedRun(*line, output=tmp_path / "out", said=tmp_path / "said.txt") as run:
        wait_for_results(run.command, run.output, 1)
        run.command.send_signal(signal.SIGTERM)
        assert run.wait() == 143, run.said
        assert run.said.endswith("boxgp: stopped; what was finished is kept, and the same command goes on from there\n")
        assert "Traceback" not in run.said
        assert_nothing_left(run)
    left = results(run.output)
    assert 0 < len(left) < len(results(undisturbed))
    for result in left:
        assert_complete(result)
    before = modified(run.output)
    completed("run", *line, "--output", "out", cwd=tmp_path)
    assert differences(run.output, undisturbed) == []
    assert before.items() <= modified(run.output).items()


def test_a_plan_of_another_version_is_refused(run: Path) -> None:
    (plan,) = (run / "plans").iterdir()
    header = (plan / "plan.json").read_text()
    before = modified(run)
    job = ("worker", "--plan", plan, "--step", "0", "--index", "0", "--size", "3")
    for wrong in (header.replace('"boxgp": "', '"boxgp": "9.'), header.replace('"format": ', '"format": 9')):
        assert wrong != header
        (plan / "plan.json").write_text(wrong)
        ended = boxgp(*job, cwd=run.parent)
        assert ended.code == 2, ended.out + ended.err
        assert f"{plan} was made by boxgp " in ended.err
        assert "plan again" in ended.err
    (plan / "plan.json").write_text(header[: len(header) // 2])
    ended = boxgp(*job, cwd=run.parent)
    assert ended.code == 2
    assert f"{plan} is no plan of boxgp" in ended.err
    assert modified(run) == before
