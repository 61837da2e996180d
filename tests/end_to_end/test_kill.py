"""Whenever a run is killed, what lies on disk is whole, and a second run completes it to the same bytes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.command import (
    PATIENCE_SECONDS,
    ROOMS,
    Measured,
    assert_complete,
    completed,
    differences,
    measure,
    results,
    start,
    temporaries,
    wait_for_results,
)

SIX_ROOMS = ("demo", "--set", "scenes.count=6", "--set", "scenes.points=1500", "--set", "scenes.maximum_side=3.5")


def killed(line: Sequence[str], folder: Path, delay: float, *, after_results: int) -> bool:
    """Kills a run and all its workers, ``delay`` seconds after it has some results; False where it had ended before."""
    process = start("run", *line, "--output", "out", cwd=folder)
    wait_for_results(process, folder / "out", after_results)
    time.sleep(delay)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_SECONDS)
    return running


def kill_and_complete(line: Sequence[str], undisturbed: Measured, folder: Path, kills: int) -> int:
    """``kills`` times: kills a fresh run at a random moment and completes it; how many left results.

    Two of three kills come after the first result, the others at any moment.
    """
    generator = np.random.default_rng(kills)
    seconds = undisturbed.seconds
    with_results = hits = 0
    for attempt in range(2 * kills):
        place = folder / str(attempt)
        place.mkdir()
        after_results = min(hits % 3, 1)
        delay = generator.uniform(0, seconds - after_results * undisturbed.first_result)
        if not killed(line, place, delay, after_results=after_results):
            seconds = (seconds + undisturbed.first_result) / 2  # the machine is less busy now
            continue
        for result in results(place / "out"):
            assert_complete(result)
        with_results += bool(results(place / "out"))
        completed("run", *line, "--output", "out", cwd=place)
        assert differences(place / "out", undisturbed.output) == []
        assert temporaries(place / "out") == []
        hits += 1
        if hits == kills:
            return with_results
    pytest.fail(f"only {hits} of {2 * kills} kills came before the end of the run")


def test_killed_three_times_in_one_folder(undisturbed: Path, tmp_path: Path) -> None:
    moments = np.sort(np.random.default_rng(3).integers(1, 12, 3))  # in results; the run has 19
    for moment in moments:
        assert killed(ROOMS, tmp_path, 0, after_results=int(moment))
        left = results(tmp_path / "out")
        assert 0 < len(left) < len(results(undisturbed))
        for result in left:
            assert_complete(result)
    completed("run", *ROOMS, "--output", "out", cwd=tmp_path)
    assert differences(tmp_path / "out", undisturbed) == []
    assert temporaries(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("workers", "kills"), [("0", 12), ("2", 8)])
def test_killed_at_random_moments(workers: str, kills: int, tmp_path: Path) -> None:
    line = (*SIX_ROOMS, "--workers", workers)
    reference = measure(line, tmp_path)
    assert len(results(reference.output)) == 6 * 6 + 1
    assert kill_and_complete(line, reference, tmp_path, kills) >= 2 * kills // 3


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_two_runs_at_once_in_one_folder(workers: str, undisturbed: Path, tmp_path: Path) -> None:
    line = ("run", *ROOMS, "--output", "out", "--workers", workers)
    both = [start(*line, cwd=tmp_path), start(*line, cwd=tmp_path)]
    said = [process.communicate(timeout=PATIENCE_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert not any("Traceback" in one for one in said)
    assert differences(tmp_path / "out", undisturbed) == []
    assert temporaries(tmp_path / "out") == []


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_an_interrupted_run_ends_with_130_and_goes_on(workers: str, undisturbed: Path, tmp_path: Path) -> None:
    line = ("run", *ROOMS, "--output", "out", "--workers", workers)
    process = start(*line, cwd=tmp_path)
    wait_for_results(process, tmp_path / "out", 1)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal: to the command and all its workers
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert "boxgp: stopped" in said
    assert "Traceback" not in said
    assert temporaries(tmp_path / "out") == []
    left = results(tmp_path / "out")
    assert 0 < len(left) < len(results(undisturbed))
    for result in left:
        assert_complete(result)
    completed(*line, cwd=tmp_path)
    assert differences(tmp_path / "out", undisturbed) == []
